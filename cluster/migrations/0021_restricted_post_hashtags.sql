-- compatible-from: 6
-- no-transaction
create index concurrently post_hashtags_restricted on post_hashtags (author_id, audience, tag, created_at, post_id)
where audience <> 'public';
