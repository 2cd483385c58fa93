"""The metrics of attachments."""

from cluster.metrics import Counter

RECEIVED_BYTES = Counter("entativa_attachment_bytes_total", "Bytes of attachments stored", ["brand"])
ATTACHMENTS = Counter(
    "entativa_attachments_total", "Attachments by what became of them", ["brand", "outcome"]
)  # begun, complete, deleted
