-- compatible-from: 6
-- no-transaction
create index concurrently posts_quotes_of_list on posts (list_id, quoted_id, created_at, id)
    where quoted_id is not null and audience = 'list';
