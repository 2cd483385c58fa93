-- compatible-from: 1
-- By these, hosts notice that the database went back (a restored backup, a promoted replica that missed the last writes)
-- where the map is the one that they know, so that its generation and version tell nothing.

-- The time of the host's last heartbeat by its own clock.
ALTER TABLE shard_hosts ADD COLUMN beat_at double precision NOT NULL DEFAULT '-infinity';

-- The transactions of turns: each raises the number of its series. The series of one host process are few, and one
-- transaction of a series is under way at a time, so that none waits here for another.
CREATE TABLE turn_commits (
    series       uuid        PRIMARY KEY,
    number       bigint      NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- Whether each of these series has its number, or a higher one.
CREATE FUNCTION turn_commits_are_stored(known uuid[], numbers bigint[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT count(*) = cardinality(known)
    FROM unnest(known, numbers) AS k (series, number)
    JOIN turn_commits AS c ON c.series = k.series AND c.number >= k.number
$$;
