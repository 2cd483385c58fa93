-- compatible-from: 6
-- Content warnings, places and pins of posts. A place is {"name", "latitude", "longitude"}; no statement searches by it.
alter table posts
    add column content_warning text,
    add column place jsonb,
    add column pinned_at timestamptz;
alter table post_versions add column content_warning text;
