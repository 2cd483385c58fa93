-- compatible-from: 6
-- Polls of posts (features/posts/polls.py), and the votes in them. No column says when somebody voted: whoever knows when
-- results changed must not find out whose vote that was.
alter table posts add column poll jsonb;

create table poll_votes (
    post_id uuid not null references posts (id) on delete cascade,
    -- Null once the account is erased: its vote stays counted.
    voter_id uuid references accounts (id) on delete set null,
    choices smallint[] not null,
    -- Whether poll_counts has it.
    counted boolean not null default false,
    unique (post_id, voter_id)
);
create index poll_votes_voter on poll_votes (voter_id) where voter_id is not null;
create index poll_votes_to_count on poll_votes (post_id) where not counted;

create table poll_counts (
    post_id uuid primary key references posts (id) on delete cascade,
    voters int not null,
    -- Of each option, in their order; of those that the poll does not have, zero.
    counts int[] not null
);
