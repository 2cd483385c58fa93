-- compatible-from: 6
-- no-transaction
create index concurrently posts_reposts on posts (reposted_id) where reposted_id is not null;
