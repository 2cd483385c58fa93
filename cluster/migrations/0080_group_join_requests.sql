-- compatible-from: 6
-- Who asks to join a group by an invitation, which may be gone by the time of the answer.
create table group_join_requests (
    id uuid primary key,
    group_id uuid not null references groups (id) on delete cascade,
    account_id uuid not null references accounts (id),
    invitation_id uuid not null,
    state text not null check (state in ('waiting', 'declined', 'approved', 'withdrawn', 'withdrawn_declined')),
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    unique (group_id, account_id)
);
create index group_join_requests_group on group_join_requests (group_id, asked_at, id);
create index group_join_requests_account on group_join_requests (account_id, asked_at);
create index group_join_requests_invitation on group_join_requests (invitation_id);
create index group_join_requests_expires_at on group_join_requests (expires_at);
