-- compatible-from: 6
-- posts_reposts_newest begins with the same column. Dropping waits for a lock on posts for two seconds at most, and then
-- takes no time.
drop index posts_reposts;
