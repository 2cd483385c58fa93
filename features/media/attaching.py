"""Which media can be attached to something that others see."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from features.media.errors import MediaInUse, MediaNotReady, UnknownMedia, UnusableMedia
from features.media.model import Media, MediaState


def check_attachable(media_ids: Sequence[UUID], found: Mapping[UUID, Media], holder_id: UUID) -> list[Media]:
    """Returns the media in order. `found` are those of them that the caller has. Raises UnknownMedia, UnusableMedia,
    MediaNotReady, MediaInUse, with the position of the first medium that does not fit as the field."""
    media = []
    for position, media_id in enumerate(media_ids):
        field, medium = f"media.{position}.id", found.get(media_id)
        if medium is None:
            raise UnknownMedia(field=field)
        if medium.failure is not None:
            raise UnusableMedia(field=field)
        if medium.state is not MediaState.READY:
            raise MediaNotReady(field=field)
        if medium.media_type.is_image and medium.image is None:  # from before images had files
            raise UnusableMedia(field=field)
        if medium.attached_to not in (None, holder_id) or media_id in media_ids[:position]:
            raise MediaInUse(field=field)
        media.append(medium)
    return media
