-- compatible-from: 6
-- The first link in a post's text, and what its page says about itself: {"url", "title", "description", "site_name"}, the
-- title null where there is nothing to show.
alter table posts
    add column link_url text,
    add column link jsonb,
    add column link_fetched_at timestamptz;
