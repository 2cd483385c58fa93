-- compatible-from: 6
-- Encrypted files that conversations carry (features/attachments): their parts are in object storage.
create table attachments (
    id uuid primary key,
    account_id uuid not null references accounts (id),
    size bigint not null,
    received bigint not null,
    expires_at timestamptz not null
);
create index attachments_of_account on attachments (account_id);
create index attachments_expires_at on attachments (expires_at);
