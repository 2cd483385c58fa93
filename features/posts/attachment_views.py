"""Media of posts as readers see them."""

from collections.abc import Sequence

from features.posts.model import Attachment, AttachmentView, Audience


def attachment_views(stored: Sequence[Attachment] | None, audience: str, epoch: int) -> list[AttachmentView]:
    """Returns a post's media as its readers see them."""
    public = audience == Audience.PUBLIC
    return [
        {**each, "video": each.get("video"), "path": f"/public-media/{each['id']}/{epoch}" if public else None}
        for each in stored or ()
    ]
