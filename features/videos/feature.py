"""What this slice declares. Objects in storage are in docs/media.md."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.live_sessions.feature import LIVE_SESSIONS
from features.live_sessions.ports import LIVE_SESSIONS as LIVE_PORT
from features.media.feature import MEDIA
from features.media.service import MediaService
from features.videos.events import EVENTS
from features.videos.http_transcriber import HttpTranscriber
from features.videos.jobs import JOBS
from features.videos.local_jobs import LocalJobs
from features.videos.policy import VideoPolicy
from features.videos.service import VideoService
from features.videos.source_files import SourceFiles
from features.videos.sweeping import run_video_sweeps
from features.videos.transcoding import Transcoding
from features.videos.transcribing import Transcribing


def _service(scope: Scope) -> VideoService:
    return VideoService(scope.policy(VideoPolicy), scope.service(MediaService))


def _consumers(scope: Scope) -> Sequence[Consumer]:
    media = scope.service(MediaService)
    jobs = scope.ports.get(JOBS) or LocalJobs(media.objects, SourceFiles.of(scope.settings, scope.brand, media.objects))
    live = scope.ports.get(LIVE_PORT)
    transcoding = Transcoding(scope.brand, scope.policy(VideoPolicy), media, jobs, live, scope.now)
    if not scope.settings.transcriber_url:
        return transcoding.consumers()
    transcriber = HttpTranscriber(scope.settings.transcriber_url, scope.settings.transcriber_token.get_secret_value())
    videos = scope.service(VideoService)
    transcribing = Transcribing(scope.brand, videos, media, transcriber, scope.now)
    return [*transcoding.consumers(), *transcribing.consumers()]


_AS_LONG = "as long as their video"

VIDEOS = Feature(
    name="videos",
    needs=(ACCOUNTS, MEDIA, LIVE_SESSIONS),
    policy=VideoPolicy,
    service=_service,
    consumers=_consumers,
    background=run_video_sweeps,
    events=EVENTS,
    tables=(
        Table("videos", "account_id", "as long as their medium", subjects=("account_id",)),
        Table("video_objects", "key", "until the object is handed to media_garbage"),
        # The content of playlists is left out of exports: it only says where parts of the stream are.
        Table("video_texts", "video_id", _AS_LONG, part_of=PartOf("videos", "video_id"), secrets=("content",)),
        Table("video_captions", "video_id", _AS_LONG, part_of=PartOf("videos", "video_id")),
    ),
)
