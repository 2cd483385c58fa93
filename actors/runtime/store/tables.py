"""The tables of the entity runtime."""

from cluster.tables import Table

RUNTIME_TABLES = (
    Table("shard_coordinator", None, "one row"),
    Table("shard_generations", None, "one row per term of a leader"),
    Table("shard_hosts", None, "while the host renews its lease"),
    Table("shards", "shard", "one row per kind and shard"),
    Table("shard_answers", "shard", "a little longer than any deadline"),
    Table("entity_snapshots", "entity", "as long as the entity"),
    Table("entity_timers", "shard", "until the timer's message is received"),
    Table("turn_commits", "series", "one hour after the last transaction of the series"),
)
