-- compatible-from: 6
-- no-transaction
create index concurrently posts_quotes_restricted on posts (quoted_id, author_id, audience, created_at, id)
    where quoted_id is not null and audience <> 'public';
