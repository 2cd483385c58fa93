-- compatible-from: 6
-- Highlights: stories that are kept visible for an audience of the highlight's own (features/stories/highlights.py).
create table story_highlights (
    id uuid primary key,
    author_id uuid not null references accounts (id),
    title text not null,
    audience text not null check (audience in ('public', 'connections', 'close_friends', 'list', 'only_me')),
    list_id uuid references lists (id) on delete set null,
    created_at timestamptz not null,
    check (list_id is null or audience = 'list')
);
create index story_highlights_author on story_highlights (author_id, created_at, id);
create index story_highlights_list on story_highlights (list_id) where list_id is not null;

create table highlighted_stories (
    highlight_id uuid not null references story_highlights (id) on delete cascade,
    story_id uuid not null references stories (id) on delete cascade,
    primary key (highlight_id, story_id)
);
create index highlighted_stories_story on highlighted_stories (story_id);

-- Changes where somebody may have lost the right to see a story: addresses of its image are good for one.
alter table stories add column media_epoch integer not null default 0;
