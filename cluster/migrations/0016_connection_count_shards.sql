-- compatible-from: 4
-- Counts that many people change at once. Whoever connects with an account adds to one of its shards, so that nobody
-- waits for the account's own row; the count is the sum of both. A shard may be negative, and former code, which knows
-- the row only, may make that negative, too.
CREATE TABLE connection_count_shards (
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    shard smallint NOT NULL,
    audience int NOT NULL,
    following int NOT NULL,
    PRIMARY KEY (account_id, shard)
) WITH (fillfactor = 50);
ALTER TABLE connection_counts
    DROP CONSTRAINT connection_counts_audience_check,
    DROP CONSTRAINT connection_counts_following_check;
