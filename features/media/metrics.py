"""The metrics of media."""

from cluster.metrics import Counter, Gauge, Histogram

RECEIVED_BYTES = Counter("entativa_upload_bytes_total", "Bytes of uploads stored", ["brand"])
ENDED_UPLOADS = Counter(
    "entativa_uploads_total", "Uploads that began or ended", ["brand", "event"]
)  # begun, complete, terminated, expired
INTERRUPTED = Counter(
    "entativa_upload_interruptions_total", "Requests that appended to an upload and did not end", ["brand", "reason"]
)  # fenced, stalled, cut, storage
BUFFERED_BYTES = Gauge(
    "entativa_upload_buffered_bytes", "Bytes of uploads in memory", ["brand"], multiprocess_mode="livesum"
)
PROCESSED = Histogram(
    "entativa_media_processing_seconds",
    "Time from the handling of a complete upload until its medium is ready",
    ["brand"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
IMAGES = Counter("entativa_images_total", "Images that were made ready, or failed and why", ["brand", "result"])
IMAGE_CPU = Histogram(
    "entativa_image_cpu_seconds",
    "CPU time of the process that decoded an image and wrote its files",
    ["brand"],
    buckets=(0.03, 0.1, 0.2, 0.5, 1, 2, 4, 8),
)
AVIF = Counter(
    "entativa_avif_images_total",
    "Images that were read often and what became of their AVIF files",
    ["brand", "outcome"],
)  # made, gone, or why not
SCREENED = Counter(
    "entativa_media_screened_total",
    "Images and parts of videos that were compared with the hash list",
    ["brand", "outcome"],
)  # clear, matched, unchecked
HASH_LIST_ENTRIES = Gauge(
    "entativa_hash_list_entries", "Hashes in the hash list", ["brand"], multiprocess_mode="livemostrecent"
)
HASH_LIST_READ = Gauge(
    "entativa_hash_list_read_timestamp_seconds",
    "When the hash list was last read, or found unchanged",
    ["brand"],
    multiprocess_mode="livemostrecent",
)
DELETED_OBJECTS = Counter("entativa_media_objects_deleted_total", "Objects deleted from storage", ["brand"])
GARBAGE = Gauge(
    "entativa_media_garbage",
    "Objects that are due to be deleted from storage",
    ["brand"],
    multiprocess_mode="livemostrecent",
)
SENT_BYTES = Counter("entativa_media_bytes_total", "Bytes of media sent to clients", ["brand"])
