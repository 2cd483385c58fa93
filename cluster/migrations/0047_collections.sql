-- compatible-from: 6
-- Posts that accounts have saved, and their collections of these (features/collections). There is no foreign key to posts:
-- a row of a deleted post shows nothing, and is deleted in the background.
create table saved_posts (
    account_id uuid not null references accounts (id) on delete cascade,
    post_id uuid not null,
    saved_at timestamptz not null,
    primary key (account_id, post_id)
);
create index saved_posts_newest on saved_posts (account_id, saved_at, post_id);
create index saved_posts_of_post on saved_posts (post_id);

create table collections (
    account_id uuid not null references accounts (id) on delete cascade,
    id uuid not null,
    name text not null,
    created_at timestamptz not null,
    primary key (account_id, id)
);
create unique index collections_by_name on collections (account_id, lower(name));
create index collections_newest on collections (account_id, created_at, id);

create table collection_posts (
    account_id uuid not null references accounts (id) on delete cascade,
    post_id uuid not null,
    collection_id uuid not null,
    added_at timestamptz not null,
    primary key (account_id, post_id, collection_id),
    foreign key (account_id, post_id) references saved_posts (account_id, post_id) on delete cascade,
    foreign key (account_id, collection_id) references collections (account_id, id) on delete cascade
);
create index collection_posts_newest on collection_posts (account_id, collection_id, added_at, post_id);
