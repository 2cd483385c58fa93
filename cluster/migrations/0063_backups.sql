-- compatible-from: 6
-- Encrypted backups of what devices have (features/backups): a row for each account, and its segments in object storage.
create table backups (
    account_id uuid primary key references accounts (id),
    version bigint not null,
    header bytea not null,
    updated_at timestamptz not null
);

-- position: where the segment stands in the backup; null: the backup does not name it.
create table backup_segments (
    account_id uuid not null references accounts (id),
    digest bytea not null,
    object_id uuid not null,
    size integer not null,
    position integer,
    uploaded_at timestamptz not null,
    primary key (account_id, digest)
);
