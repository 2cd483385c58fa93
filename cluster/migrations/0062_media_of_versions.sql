-- compatible-from: 6
-- Null: not recorded, in versions that former code has made.
alter table post_versions add column media jsonb;
