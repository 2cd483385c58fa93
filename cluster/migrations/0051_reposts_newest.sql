-- compatible-from: 6
-- no-transaction
create index concurrently posts_reposts_newest on posts (reposted_id, created_at, id) where reposted_id is not null;
