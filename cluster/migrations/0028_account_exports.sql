-- compatible-from: 2
-- The latest export of each account, and its content: a gzip file in parts.
create table account_exports (
    id uuid primary key,
    account_id uuid not null unique references accounts on delete cascade,
    requested_at timestamptz not null,
    ready_at timestamptz,
    size bigint,
    expires_at timestamptz not null
);
create index account_exports_expired on account_exports (expires_at);

create table account_export_parts (
    export_id uuid not null references account_exports on delete cascade,
    number int not null,
    content bytea not null,
    primary key (export_id, number)
);
