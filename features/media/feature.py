"""What this slice declares."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.objects import open_objects
from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.media.addresses import derive_key
from features.media.avif import AvifEncoding
from features.media.erasure import erase
from features.media.events import EVENTS
from features.media.image_renderer import ImageRenderer
from features.media.policy import MediaPolicy
from features.media.processing import Processing
from features.media.reads import ReadCounts
from features.media.receiving import Buffered
from features.media.screening import Screening
from features.media.service import MediaService
from features.media.sweeping import run_media_sweeps
from features.media.synced_hash_list import hash_list_of
from features.media.uploads import UploadService

_RENDERER, _AVIF_RENDERER = ImageRenderer(), ImageRenderer(at_once=1)
"""For all brands of a process: they have processes of their own."""


def _service(scope: Scope) -> MediaService:
    policy, objects = scope.policy(MediaPolicy), open_objects(scope.settings, scope.brand)
    uploads = UploadService(scope.brand, policy, scope.database, objects, scope.now, Buffered(scope.brand))
    key = derive_key(scope.settings.cluster_secret.get_secret_value().encode(), scope.brand)
    screening = Screening(scope.brand, policy, hash_list_of(scope.settings, scope.brand, policy, objects))
    return MediaService(scope.brand, policy, objects, uploads, key, screening, ReadCounts(policy.avif_reads))


def _consumers(scope: Scope) -> Sequence[Consumer]:
    from features.media.image_rendering import can_write_avif  # loads the decoders, which only consumers ask for

    media = scope.service(MediaService)
    processing = Processing(scope.brand, media, _RENDERER, scope.now)
    avif = AvifEncoding(scope.brand, media, _AVIF_RENDERER, scope.now).consumers() if can_write_avif() else []
    return [*processing.consumers(), *avif]


MEDIA = Feature(
    name="media",
    needs=(ACCOUNTS,),
    policy=MediaPolicy,
    service=_service,
    consumers=_consumers,
    background=run_media_sweeps,
    events=EVENTS,
    erase=erase,
    tables=(
        Table(
            "media",
            "account_id",
            "until a week after nothing shows them",
            subjects=("account_id",),
            secrets=("digest",),
        ),
        Table("media_uploads", "account_id", "a day after their last bytes", subjects=("account_id",)),
        Table(
            "media_upload_parts", "upload_id", "until the medium is ready", part_of=PartOf("media_uploads", "upload_id")
        ),
        Table(
            "media_files",
            "media_id",
            "until the account deletes the medium",
            part_of=PartOf("media", "media_id"),
            secrets=("digest",),
        ),
        Table("media_objects", "digest", "until nothing refers to them"),
        # About an account, and neither erased with it nor exported to it: it would tell what the list has.
        Table("media_evidence", "account_id", "90 days after it was found"),
        Table("media_garbage", "key", "until the object is deleted from storage"),
    ),
)
