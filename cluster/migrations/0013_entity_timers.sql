-- compatible-from: 1
-- Durable timers of entities (the SetTimer effect): written and deleted by the transactions of turns.
CREATE TABLE entity_timers (
    kind    text             NOT NULL,
    shard   smallint         NOT NULL,
    entity  text             NOT NULL,
    name    text             NOT NULL,
    -- Seconds since 1970, as the entity gave them.
    due_at  double precision NOT NULL,
    message bytea            NOT NULL,
    PRIMARY KEY (kind, shard, entity, name)
);
CREATE INDEX entity_timers_due ON entity_timers (kind, shard, due_at);
