-- compatible-from: 1
-- Sharded entities: who coordinates, which hosts live, who owns which shard at which epoch.
-- One runtime per database (a brand has its own), so no table names the runtime.

-- The leader's lease. `term` fences coordinators the way `epoch` fences hosts: a map write names its term.
CREATE TABLE shard_coordinator (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    holder      text        NOT NULL,
    term        bigint      NOT NULL,
    expires_at  timestamptz NOT NULL,
    map_version bigint      NOT NULL
);
INSERT INTO shard_coordinator VALUES (true, '', 0, '-infinity', 0);

-- One row per incarnation of a host process, kept alive by its heartbeat. A row that is gone is a death sentence:
-- the host finds out at its next heartbeat, which updates nothing.
CREATE TABLE shard_hosts (
    host       text PRIMARY KEY,
    name       text        NOT NULL,
    node       text        NOT NULL,
    address    text        NOT NULL,
    socket     text        NOT NULL,
    draining   boolean     NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    load       jsonb       NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- The map. `version` is the map version that wrote the row, so "what changed since" is one range.
CREATE TABLE shards (
    kind      text     NOT NULL,
    shard     smallint NOT NULL,
    host      text     NOT NULL,
    epoch     bigint   NOT NULL,
    moving_to text     NOT NULL DEFAULT '',
    version   bigint   NOT NULL,
    PRIMARY KEY (kind, shard)
) WITH (fillfactor = 50);

-- Answers given by turns that wrote something durable, stored by the same transaction: a call that is retried
-- after its host died gets its first answer. Kept a little longer than any deadline.
CREATE TABLE shard_answers (
    kind        text        NOT NULL,
    shard       smallint    NOT NULL,
    caller      bytea       NOT NULL,
    call        bigint      NOT NULL,
    answer      bytea       NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, shard, caller, call)
);
CREATE INDEX shard_answers_age ON shard_answers (answered_at);

-- Snapshots of entities that ask for it (the Persist effect).
CREATE TABLE entity_snapshots (
    kind     text        NOT NULL,
    entity   text        NOT NULL,
    format   integer     NOT NULL,
    body     bytea       NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, entity)
);
