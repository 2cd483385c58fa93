-- compatible-from: 6
-- no-transaction
create index concurrently posts_link on posts (md5(link_url)) where link_url is not null;
