-- compatible-from: 6
-- no-transaction
create index concurrently post_hashtags_to_fill on post_hashtags (post_id) where audience is null;
