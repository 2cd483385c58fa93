-- compatible-from: 6
-- no-transaction
create unique index concurrently posts_reposted_once on posts (author_id, reposted_id) where reposted_id is not null;
