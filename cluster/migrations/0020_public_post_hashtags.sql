-- compatible-from: 6
-- no-transaction
create index concurrently post_hashtags_public on post_hashtags (tag, created_at, post_id) where audience = 'public';
