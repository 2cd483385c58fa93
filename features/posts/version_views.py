"""Former and present versions of posts as readers see them."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from features.media.service import MediaService
from features.posts.attachment_views import attachment_views
from features.posts.model import Audience, Version, VersionAttachment
from features.posts.views import Row, entities_of


def version_view(
    row: Row, usernames: Mapping[str, str], media: MediaService, viewer_id: UUID | None, now: datetime
) -> Version:
    """Converts a row of `store.versions`. `usernames` comes from `mentioned`."""
    entities, audience = entities_of(row["entities"], usernames), Audience(row["audience"])
    attachments = _attachments(row, media, viewer_id, now)
    return Version(row["text"], entities, row["content_warning"], attachments, audience, row["created_at"])


def _attachments(
    row: Row, media: MediaService, viewer_id: UUID | None, now: datetime
) -> list[VersionAttachment] | None:
    if row["media"] is None:
        return None
    # Both the version and the post have to be public for everybody to read the files.
    audience = row["audience"] if row["post_audience"] == Audience.PUBLIC else row["post_audience"]
    found = list[VersionAttachment]()
    for each in attachment_views(row["media"], audience, row["media_epoch"]):
        if each["path"] is not None:
            found.append({**each, "path": each["path"], "expires_at": None})
        else:
            address = media.seal(UUID(each["id"]), viewer_id, row["media_epoch"], now)
            found.append({**each, "path": f"/post-media/{address.token}", "expires_at": address.expires_at})
    return found
