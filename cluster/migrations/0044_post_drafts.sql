-- compatible-from: 6
-- Posts that are not published yet; those with a time are published by every process with consumers
-- (features/posts/scheduling.py).
create table post_drafts (
    -- That of the post which is made of it.
    id uuid primary key,
    author_id uuid not null references accounts (id) on delete cascade,
    text text not null,
    entities jsonb,
    tags text[] not null,
    audience text not null,
    -- No foreign key: whether the author still has the list is asked at publication.
    list_id uuid,
    content_warning text,
    place jsonb,
    poll jsonb,
    poll_duration_s int,
    quoted_id uuid,
    media jsonb,
    publish_at timestamptz,
    -- The code of the error for which it was not published at its time.
    problem text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check ((poll is null) = (poll_duration_s is null))
);
create index post_drafts_author on post_drafts (author_id, created_at, id);
create index post_drafts_publish_at on post_drafts (publish_at) where publish_at is not null;
