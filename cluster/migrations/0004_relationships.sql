-- compatible-from: 4
-- Who is whose audience, and who wants nothing of whom.

-- "viewer is in owner's audience": a friendship is two rows, a follow of B by A is one (owner B, viewer A).
create table connections (
    owner_id uuid not null references accounts (id) on delete cascade,
    viewer_id uuid not null references accounts (id) on delete cascade,
    created_at timestamptz not null,
    primary key (owner_id, viewer_id),
    check (owner_id <> viewer_id)
);
create index connections_by_owner on connections (owner_id, created_at, viewer_id);
create index connections_by_viewer on connections (viewer_id, created_at, owner_id);

-- How many rows above name an account, so that a count costs one lookup. Its row is also the lock under which a
-- person's ties change: whoever needs two takes them in the order of their ids, so nobody waits in a circle.
create table connection_counts (
    account_id uuid primary key references accounts (id) on delete cascade,
    audience int not null default 0 check (audience >= 0),
    following int not null default 0 check (following >= 0)
) with (fillfactor = 50);

create table blocks (
    blocker_id uuid not null references accounts (id) on delete cascade,
    blocked_id uuid not null references accounts (id) on delete cascade,
    created_at timestamptz not null,
    primary key (blocker_id, blocked_id),
    check (blocker_id <> blocked_id)
);
create index blocks_newest on blocks (blocker_id, created_at, blocked_id);
create index blocks_by_blocked on blocks (blocked_id);

create table mutes (
    muter_id uuid not null references accounts (id) on delete cascade,
    muted_id uuid not null references accounts (id) on delete cascade,
    created_at timestamptz not null,
    primary key (muter_id, muted_id),
    check (muter_id <> muted_id)
);
create index mutes_newest on mutes (muter_id, created_at, muted_id);
create index mutes_by_muted on mutes (muted_id);

create table close_friends (
    owner_id uuid not null references accounts (id) on delete cascade,
    member_id uuid not null references accounts (id) on delete cascade,
    created_at timestamptz not null,
    primary key (owner_id, member_id),
    check (owner_id <> member_id)
);
create index close_friends_newest on close_friends (owner_id, created_at, member_id);
create index close_friends_by_member on close_friends (member_id);

create table lists (
    id uuid primary key,
    owner_id uuid not null references accounts (id) on delete cascade,
    name text not null,
    created_at timestamptz not null
);
create unique index lists_by_name on lists (owner_id, lower(name));
create index lists_newest on lists (owner_id, created_at, id);

create table list_members (
    list_id uuid not null references lists (id) on delete cascade,
    member_id uuid not null references accounts (id) on delete cascade,
    created_at timestamptz not null,
    primary key (list_id, member_id)
);
create index list_members_newest on list_members (list_id, created_at, member_id);
create index list_members_by_member on list_members (member_id);
