"""The metrics of backups."""

from cluster.metrics import Counter

RECEIVED_BYTES = Counter("entativa_backup_bytes_total", "Bytes of segments of backups stored", ["brand"])
WRITTEN = Counter(
    "entativa_backups_written_total",
    "Backups written, and those that another device was ahead of",
    ["brand", "outcome"],
)  # written, changed
DISCARDED = Counter("entativa_backup_segments_discarded_total", "Segments that no backup names any more", ["brand"])
