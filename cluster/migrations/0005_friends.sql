-- compatible-from: 5
-- How ties come about: requests for a friendship, and how many follows a person has made today.

-- Rows stay after their end: the limit per day and the cool-down after a refusal look back at them.
-- A refused request stays open for its sender, who is not told; `refused_at` is when the recipient said no.
create table friend_requests (
    id uuid primary key,
    sender_id uuid not null references accounts (id) on delete cascade,
    recipient_id uuid not null references accounts (id) on delete cascade,
    state text not null check (state in ('waiting', 'refused', 'accepted', 'withdrawn', 'severed')),
    created_at timestamptz not null,
    refused_at timestamptz,
    check (sender_id <> recipient_id)
);
create unique index friend_requests_open on friend_requests (sender_id, recipient_id)
    where state in ('waiting', 'refused');
create index friend_requests_sent on friend_requests (sender_id, created_at, id);
create index friend_requests_received on friend_requests (recipient_id, created_at, id) where state = 'waiting';
create index friend_requests_refused on friend_requests (sender_id, recipient_id, refused_at)
    where refused_at is not null;
create index friend_requests_by_recipient on friend_requests (recipient_id);

create table follow_days (
    account_id uuid primary key references accounts (id) on delete cascade,
    day date not null,
    follows int not null
) with (fillfactor = 50);
