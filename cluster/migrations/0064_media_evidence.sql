-- compatible-from: 6
-- Uploads that matched the list of pictures that nobody may publish (features/media/screening.py).
alter table media
    -- Its failure is 'unreadable' then, which code of the version before knows.
    add column not_allowed boolean not null default false;

-- The accounts are no references: what is held stays when the uploader deletes the medium or the account.
create table media_evidence (
    media_id uuid primary key,
    account_id uuid not null,
    media_type text not null,
    size bigint not null,
    digest bytea not null references media_objects (digest),
    -- The hash of the list.
    entry bytea not null check (octet_length(entry) = 32),
    distance smallint not null,
    held_at timestamptz not null,
    due_at timestamptz not null
);
create index media_evidence_of_object on media_evidence (digest);
create index media_evidence_due_at on media_evidence (due_at);
