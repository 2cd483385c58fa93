-- compatible-from: 6
-- no-transaction
create index concurrently post_hashtags_of_list on post_hashtags (list_id, tag, created_at, post_id)
    where audience = 'list';
