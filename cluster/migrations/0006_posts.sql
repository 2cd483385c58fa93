-- compatible-from: 6
-- Posts, the versions they had before, and which hashtags they use.

create table posts (
    id uuid primary key,
    author_id uuid not null references accounts (id) on delete cascade,
    text text not null,
    entities jsonb,
    audience text not null check (audience in ('public', 'connections', 'close_friends', 'list', 'only_me')),
    -- A deleted list leaves its posts to their author alone.
    list_id uuid references lists (id) on delete set null check (list_id is null or audience = 'list'),
    created_at timestamptz not null,
    edited_at timestamptz
);
-- Carries what privacy needs, so that a feed picks its posts from the index.
create index posts_author on posts (author_id, created_at, id) include (audience, list_id);
create index posts_list on posts (list_id) where list_id is not null;

create table post_versions (
    post_id uuid not null references posts (id) on delete cascade,
    number int not null,
    text text not null,
    entities jsonb,
    audience text not null,
    list_id uuid references lists (id) on delete set null,
    created_at timestamptz not null,
    primary key (post_id, number)
);
create index post_versions_list on post_versions (list_id) where list_id is not null;

create table post_hashtags (
    tag text not null,
    created_at timestamptz not null,
    post_id uuid not null references posts (id) on delete cascade,
    primary key (tag, created_at, post_id)
);
create index post_hashtags_post on post_hashtags (post_id);
