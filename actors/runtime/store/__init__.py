"""The runtime's own tables in Postgres: leases, the shard map, stored replies, snapshots."""
