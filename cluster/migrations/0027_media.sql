-- compatible-from: 2
-- Uploads, media, and the objects in storage that they share (features/media).

-- What is stored once for all media with that content. refs counts these media.
create table media_objects (
    digest bytea primary key check (octet_length(digest) = 32),
    size bigint not null check (size > 0),
    refs bigint not null check (refs >= 0),
    -- False: somebody has begun to write it.
    stored boolean not null
);

create table media (
    id uuid primary key,
    account_id uuid not null references accounts (id) on delete cascade,
    media_type text not null,
    size bigint not null check (size > 0),
    state text not null check (state in ('processing', 'ready')),
    digest bytea references media_objects,
    created_at timestamptz not null,
    constraint media_ready check ((state = 'ready') = (digest is not null))
);
create index media_of_account on media (account_id, created_at desc, id desc);
create index media_of_object on media (digest);

create table media_uploads (
    id uuid primary key,
    account_id uuid not null references accounts (id) on delete cascade,
    kind text not null check (kind in ('whole', 'partial', 'final')),
    length bigint not null check (length > 0),
    received bigint not null default 0,
    -- The number of the newest request that appends: older ones are refused.
    fence bigint not null default 0,
    parts integer not null default 0,
    media_type text,
    metadata text not null,
    concat text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint media_uploads_received check (received between 0 and length),
    constraint media_uploads_type check ((kind = 'partial') = (media_type is null))
);
create index media_uploads_of_account on media_uploads (account_id);
create index media_uploads_expires_at on media_uploads (expires_at);

create table media_upload_parts (
    upload_id uuid not null references media_uploads (id) on delete cascade,
    start bigint not null check (start >= 0),
    size integer not null check (size > 0),
    part_id uuid not null,
    primary key (upload_id, start)
);

-- Keys of objects that are to be deleted from storage. A key is here before its object is written, until something
-- refers to it.
create table media_garbage (
    key text primary key,
    due_at timestamptz not null
);
create index media_garbage_due_at on media_garbage (due_at);
