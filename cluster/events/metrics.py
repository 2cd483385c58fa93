"""Metrics of consumers."""

from cluster.metrics import Counter, Gauge

PROCESSED = Counter("entativa_consumer_events_total", "Events by outcome", ["brand", "consumer", "outcome"])
LAG = Gauge(
    "entativa_consumer_lag_events",
    "Events a consumer has not finished, parked ones included",
    ["brand", "consumer"],
    multiprocess_mode="livemostrecent",
)
LAG_SECONDS = Gauge(
    "entativa_consumer_lag_seconds",
    "Age of the oldest event that a consumer has not finished",
    ["brand", "consumer"],
    multiprocess_mode="livemostrecent",
)
FILL_SHARE = Gauge(
    "entativa_event_log_fill_share",
    "How much of its memory or disk the event log's server uses, from 0 to 1",
    ["brand"],
    multiprocess_mode="livemostrecent",
)
EVENT_TABLES = Gauge(
    "entativa_event_tables_bytes",
    "What the tables of events that are not finished take in Postgres, with their indexes",
    ["brand", "table"],
    multiprocess_mode="livemostrecent",
)
DATABASES = Gauge(
    "entativa_databases_bytes",
    "What all databases of the brand's Postgres take on its disk, the write-ahead log aside",
    ["brand"],
    multiprocess_mode="livemostrecent",
)
