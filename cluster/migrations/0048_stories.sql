-- compatible-from: 6
-- Stories (features/stories). Others than the author see one until expires_at; rows stay until the author deletes them.
create table stories (
    id uuid primary key,
    author_id uuid not null references accounts (id),
    text text not null,
    -- What is shown of its image, as with posts.
    media jsonb,
    audience text not null check (audience in ('public', 'connections', 'close_friends', 'list', 'only_me')),
    list_id uuid references lists (id) on delete set null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    check (list_id is null or audience = 'list'),
    check (text <> '' or media is not null)
);
create index stories_author on stories (author_id, created_at, id);
create index stories_live on stories (author_id, expires_at);
create index stories_list on stories (list_id) where list_id is not null;

-- Who has seen which story of whom, and when first.
create table story_views (
    story_id uuid not null references stories (id) on delete cascade,
    viewer_id uuid not null references accounts (id),
    author_id uuid not null,
    viewed_at timestamptz not null,
    primary key (story_id, viewer_id)
);
create index story_views_newest on story_views (story_id, viewed_at, viewer_id);
create index story_views_viewer on story_views (viewer_id, author_id, viewed_at);
