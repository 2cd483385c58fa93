"""What hosts, coordinators and routers count for Prometheus."""

from __future__ import annotations

from cluster.metrics import Counter, Gauge

CALLS = Counter(
    "entativa_shard_calls_total",
    "Calls that reached a host; of what is read without turns, forty entities count as one",
    ["host", "kind"],
)
QUEUED = Counter(
    "entativa_shard_calls_queued_total", "Calls that waited for a turn, a load or a move", ["host", "kind"]
)
QUEUE_WAIT = Gauge("entativa_shard_queue_wait_seconds", "How late the host's event loop runs its callbacks", ["host"])
ENTITIES = Gauge("entativa_shard_entities", "Entities in memory", ["host", "kind"])
MEMORY = Gauge("entativa_shard_host_memory_bytes", "Resident memory of the host process", ["host"])
PASSIVATED = Counter("entativa_shard_passivated_total", "Idle entities let go", ["host"])
WENT_BACK = Counter(
    "entativa_shard_database_went_back_total", "Times that a host dropped what the database had lost", ["host"]
)
TIMERS = Counter("entativa_shard_timers_total", "Durable timers received by their entities", ["kind", "timer"])
MOVES = Counter("entativa_shard_moves_total", "Shards that changed owner", ["kind", "cause"])
HOSTS = Gauge("entativa_shard_hosts", "Hosts that live and hosts that are wanted", ["state"])
DECLARED_DEAD = Counter(
    "entativa_shard_hosts_declared_dead_total",
    "Hosts whose shards the leader gave away, by why: their lease or process ended, or they were started again",
    ["cause"],
)
MAP_CONFIRMED = Gauge(
    "entativa_shard_map_confirmed_timestamp_seconds",
    "When the leader last confirmed the shard map of a router, or the router began to ask; the earliest of the node's",
    multiprocess_mode="livemin",
)
