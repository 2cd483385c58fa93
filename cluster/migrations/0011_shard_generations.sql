-- compatible-from: 1
-- The map's generations, by which hosts and routers notice that the map went back: after a restored backup or the
-- promotion of a replica that missed the last writes, versions are given a second time, to other maps.

-- Random, made anew with each term of a leader.
ALTER TABLE shard_coordinator ADD COLUMN generation uuid NOT NULL DEFAULT gen_random_uuid();

-- The history of generations, like Postgres's own timelines: each continues the one before from a version on.
CREATE TABLE shard_generations (
    generation   uuid PRIMARY KEY,
    term         bigint NOT NULL,
    from_version bigint NOT NULL
);
CREATE INDEX shard_generations_term ON shard_generations (term);
INSERT INTO shard_generations SELECT generation, term, map_version FROM shard_coordinator;

-- Whether the stored map is a later state of the one that somebody knows: its generation is in the history, and did not
-- end before that version.
CREATE FUNCTION shard_map_continues(known uuid, known_version bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM shard_generations AS g
        WHERE g.generation = known AND known_version <= coalesce(
            (SELECT min(later.from_version) FROM shard_generations AS later WHERE later.term > g.term),
            (SELECT map_version FROM shard_coordinator)
        )
    )
$$;
