"""Media of posts: what is stored of them with the post, and who may read their files.

A file is read under the rule of privacy.py at each request. Its address names the medium and the post's media epoch,
which changes with the audience: an address from before is dead, even when the post has its former audience again.
Addresses of public posts are the same for everybody; others are for one viewer, and expire.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.media.errors import NoSuchMedia, UnusableMedia
from features.media.model import Address, Image, Media, StoredFile
from features.media.queries import attached_file, holder
from features.media.service import MediaService
from features.posts.errors import TooManyMedia
from features.posts.model import Appearance, AttachedVideo, Attachment, Audience
from features.posts.policy import PostPolicy
from features.posts.privacy import visible_to
from features.posts.views import Row
from features.text import clean_line
from features.videos.model import Video, VideoState


@dataclass(frozen=True, slots=True)
class MediaDraft:
    """A medium that is to be attached, and what it shows."""

    media_id: UUID
    alt: str


def clean_media(drafts: Sequence[MediaDraft], policy: PostPolicy) -> list[MediaDraft]:
    """Returns media with their descriptions as they are stored. Raises TooManyMedia, and Invalid as `clean_line`."""
    if len(drafts) > policy.max_media:
        raise TooManyMedia(f"A post has at most {policy.max_media} media.")
    limit = policy.max_alt_length
    return [
        MediaDraft(each.media_id, clean_line(each.alt, field=f"media.{at}.alt", max_characters=limit, required=False))
        for at, each in enumerate(drafts)
    ]


def attachments_of(
    drafts: Sequence[MediaDraft], media: Sequence[Media], videos: Mapping[UUID, Video]
) -> list[Attachment]:
    """Returns what is stored of media with their post. `videos` are what became of those that are no images, by id.
    Raises UnusableMedia, with the position of a video that cannot be played."""
    found = list[Attachment]()
    for position, (draft, medium) in enumerate(zip(drafts, media, strict=True)):
        video = videos.get(medium.id)
        if video is not None and video.state is VideoState.FAILED:
            raise UnusableMedia(field=f"media.{position}.id")
        appearance = of_image(medium.image) if medium.image is not None else of_video(video)
        found.append({"id": str(medium.id), "alt": draft.alt, **appearance})
    return found


def of_image(image: Image) -> Appearance:
    """Returns how an image looks."""
    return {
        "width": image.width,
        "height": image.height,
        "blurhash": image.blurhash,
        "widths": image.widths,
        "video": None,
    }


def of_video(video: Video | None) -> Appearance:
    """Returns how a video looks; None: nobody has begun with it."""
    if video is None:
        processing: AttachedVideo = {"state": VideoState.PROCESSING.value, "duration_ms": None}
        return {"width": None, "height": None, "blurhash": None, "widths": [], "video": processing}
    return {
        "width": video.width,
        "height": video.height,
        "blurhash": video.blurhash,
        "widths": [],
        "video": {"state": video.state.value, "duration_ms": video.duration_ms},
    }


def described(stored: Sequence[Attachment]) -> list[tuple[str, str]]:
    """Returns which media there are, and what they show: what an author changes of them."""
    return [(each["id"], each["alt"]) for each in stored]


def _shows(medium: str, viewer: str) -> str:
    """Returns a predicate on the table ``posts``: the post has the medium, or a former version of it has, which the
    viewer may see."""
    among = f"jsonb_build_array(jsonb_build_object('id', {medium}::uuid::text))"
    return f"""(posts.media @> {among} or exists (
        select from post_versions as version
        where version.post_id = posts.id and version.media @> {among} and {visible_to(viewer, shown="version")}
    ))"""


_FILE = f"""
select file.content_type, file.size, file.digest
from ({attached_file("$1", "$3")}) as file join posts on posts.id = file.attached_to
where posts.media_epoch = $4 and {visible_to("$2::uuid")} and not {inactive("posts.author_id")}
    and {_shows("$1", "$2::uuid")}
"""
_PUBLIC_FILE = f"{_FILE} and posts.audience = '{Audience.PUBLIC}'"


_SHOWN = f"""
select 1 from posts where posts.id = {holder("$1")} and posts.media_epoch = $3 and {visible_to("$2::uuid")}
    and not {inactive("posts.author_id")} and {_shows("$1", "$2::uuid")}
"""
_PUBLIC = f"{_SHOWN} and posts.audience = '{Audience.PUBLIC}'"


async def visible_file(uow: UnitOfWork, media_id: UUID, viewer_id: UUID | None, epoch: int, name: str) -> StoredFile:
    """Returns a file of a medium of a post, or of a former version of it, that the viewer may see. Raises
    NoSuchMedia."""
    return _found(await uow.fetchrow(_FILE, media_id, viewer_id, name, epoch))


async def public_file(uow: UnitOfWork, media_id: UUID, epoch: int, name: str) -> StoredFile:
    """Returns a file of a medium of a public post. Raises NoSuchMedia."""
    return _found(await uow.fetchrow(_PUBLIC_FILE, media_id, None, name, epoch))


async def require_visible(uow: UnitOfWork, media_id: UUID, viewer_id: UUID | None, epoch: int) -> None:
    """Raises NoSuchMedia unless a post that the viewer may see shows the medium."""
    if await uow.fetchval(_SHOWN, media_id, viewer_id, epoch) is None:
        raise NoSuchMedia


async def require_public(uow: UnitOfWork, media_id: UUID, epoch: int) -> None:
    """Raises NoSuchMedia unless a public post shows the medium."""
    if await uow.fetchval(_PUBLIC, media_id, None, epoch) is None:
        raise NoSuchMedia


def _found(row: Row | None) -> StoredFile:
    if row is None:
        raise NoSuchMedia
    return StoredFile(row["content_type"], row["size"], row["digest"])


def addresses_of(
    service: MediaService, stored: Sequence[Attachment], viewer_id: UUID | None, epoch: int, now: datetime
) -> list[tuple[UUID, Address]]:
    """Returns addresses of a post's media for a viewer who may see it."""
    ids = [UUID(each["id"]) for each in stored]
    return [(media_id, service.seal(media_id, viewer_id, epoch, now)) for media_id in ids]
