"""The metrics of videos."""

from cluster.metrics import Counter, Gauge, Histogram

_BUCKETS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)

PLAYABLE = Histogram(
    "entativa_video_playable_seconds",
    "Time from a stored video until its first quality can be played",
    ["brand"],
    buckets=_BUCKETS,
)
READY = Histogram(
    "entativa_video_ready_seconds",
    "Time from a stored video until all of its qualities can be played",
    ["brand"],
    buckets=_BUCKETS,
)
FAILED = Counter("entativa_videos_failed_total", "Videos that cannot be played", ["brand", "problem"])
TRANSCRIPTS = Counter(
    "entativa_video_transcripts_total", "Videos that were transcribed", ["brand", "outcome"]
)  # captions, silent, refused, late
JOBS = Counter("entativa_video_jobs_total", "Jobs of transcoding", ["brand", "outcome"])  # done, lost, failed
WAITING = Gauge(
    "entativa_video_jobs_waiting",
    "Jobs of transcoding that run or wait for a CPU",
    ["brand"],
    multiprocess_mode="livesum",
)
