-- compatible-from: 1
-- Which version of the code each host and the leader run, and which one all of them should run since the last deploy.
-- Empty: unknown (processes older than this migration), or nothing was deployed yet.
ALTER TABLE shard_hosts ADD COLUMN code_version text NOT NULL DEFAULT '';
ALTER TABLE shard_coordinator
    ADD COLUMN code_version text NOT NULL DEFAULT '',
    ADD COLUMN target_version text NOT NULL DEFAULT '',
    ADD COLUMN deployed_at timestamptz;
