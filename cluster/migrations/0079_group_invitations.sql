-- compatible-from: 6
-- Invitations to encrypted groups by link (features/group_invitations). Whoever has the token may ask to join.
create table group_invitations (
    id uuid primary key,
    group_id uuid not null references groups (id) on delete cascade,
    account_id uuid not null references accounts (id),
    token_digest bytea not null unique check (octet_length(token_digest) = 32),
    max_uses integer not null,
    uses integer not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    check (uses between 0 and max_uses)
);
create index group_invitations_group on group_invitations (group_id, created_at, id);
create index group_invitations_account on group_invitations (account_id);
create index group_invitations_expires_at on group_invitations (expires_at);
