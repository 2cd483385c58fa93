"""Media of posts: what is stored of them with the post, and who may read their files.

A file is read under the rule of privacy.py at each request. Its address names the medium and the post's media epoch,
which changes with the audience: an address from before is dead, even when the post has its former audience again.
Addresses of public posts are the same for everybody; others are for one viewer, and expire.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.media.errors import NoSuchMedia
from features.media.model import Address, Media, StoredFile
from features.media.queries import attached_file
from features.media.service import MediaService
from features.posts.errors import TooManyMedia
from features.posts.model import Attachment, Audience
from features.posts.policy import PostPolicy
from features.posts.privacy import visible_to
from features.posts.views import Row
from features.text import clean_line


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


def attachments_of(drafts: Sequence[MediaDraft], media: Sequence[Media]) -> list[Attachment]:
    """Returns what is stored of media with their post."""
    found = list[Attachment]()
    for draft, medium in zip(drafts, media, strict=True):
        image = medium.image
        assert image is not None
        found.append(
            {
                "id": str(medium.id),
                "alt": draft.alt,
                "width": image.width,
                "height": image.height,
                "blurhash": image.blurhash,
                "widths": image.widths,
            }
        )
    return found


_FILE = f"""
select file.content_type, file.size, file.digest
from ({attached_file("$1", "$3")}) as file join posts on posts.id = file.attached_to
where posts.media_epoch = $4 and {visible_to("$2::uuid")} and not {inactive("posts.author_id")}
"""
_PUBLIC_FILE = f"{_FILE} and posts.audience = '{Audience.PUBLIC}'"


async def visible_file(uow: UnitOfWork, media_id: UUID, viewer_id: UUID | None, epoch: int, name: str) -> StoredFile:
    """Returns a file of a medium of a post that the viewer may see. Raises NoSuchMedia."""
    return _found(await uow.fetchrow(_FILE, media_id, viewer_id, name, epoch))


async def public_file(uow: UnitOfWork, media_id: UUID, epoch: int, name: str) -> StoredFile:
    """Returns a file of a medium of a public post. Raises NoSuchMedia."""
    return _found(await uow.fetchrow(_PUBLIC_FILE, media_id, None, name, epoch))


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
