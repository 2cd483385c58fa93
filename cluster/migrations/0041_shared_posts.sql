-- compatible-from: 6
-- Quotes and reposts. What is shared may be deleted, or be of somebody whose posts are elsewhere: no foreign keys.
alter table posts
    add column quoted_id uuid,
    add column reposted_id uuid,
    add constraint posts_shares_one check (quoted_id is null or reposted_id is null);
