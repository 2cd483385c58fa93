-- compatible-from: 6
-- no-transaction
create index concurrently posts_pinned on posts (author_id) where pinned_at is not null;
