-- compatible-from: 2
-- Reactions to targets (posts, comments), and how many there are of each kind (features/counters). A target's id is
-- unique over all kinds of targets; its slice says when it is deleted, and then these rows go in the background.
create table reactions (
    target_id uuid not null,
    target_kind text not null,
    account_id uuid not null references accounts (id) on delete cascade,
    kind text not null check (kind in ('like', 'love', 'care', 'haha', 'wow', 'sad', 'angry')),
    created_at timestamptz not null,
    primary key (target_id, account_id)
);
create index reactions_newest on reactions (target_id, kind, created_at, account_id);
create index reactions_of_account on reactions (account_id);

-- A count is the sum of its shards. Whatever many people change at once in transactions of their own has several.
create table target_counts (
    target_id uuid not null,
    name text not null,
    shard smallint not null,
    count bigint not null,
    primary key (target_id, name, shard)
) with (fillfactor = 50);
