"""Addresses of content that work without an access token: for image and video elements of web pages, and for players.

An address is a path with a token in it, so that what is relative to it (the segments of a stream) carries the token,
too. The token names the medium, the viewer, the medium's epoch and an expiry, and is authenticated with HMAC-SHA256. It
is checked against the present state of the medium at each use: it ends at once when the medium is deleted, its epoch
changes, or the account is not active.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from uuid import UUID

_FIELDS = Struct(">B16s16sIQ")
_OWNED, _ATTACHED = 1, 2
"""Versions: of the medium of the viewer itself; of one that something shows."""
NOBODY = UUID(int=0)
"""The viewer of an address that is for everybody."""
_MAC_BYTES = 18
"""With the fields a multiple of three bytes, so that Base64 needs no padding."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to read a medium."""

    media_id: UUID
    viewer_id: UUID
    epoch: int
    """The epoch that the medium must have, or what shows it."""
    expires_at: datetime
    attached: bool = False
    """Whether the viewer reads it as what something shows; otherwise, as its owner."""

    @property
    def viewer(self) -> UUID | None:
        """Who reads by it; None: anybody."""
        return None if self.viewer_id == NOBODY else self.viewer_id


def derive_key(cluster_secret: bytes, brand: str) -> bytes:
    """Returns the key of a brand's tokens."""
    return hmac.digest(cluster_secret, b"entativa media addresses v1\0" + brand.encode(), "sha256")


def expiry(now: datetime, lifetime: timedelta) -> datetime:
    """Returns when an address made now expires: at least `lifetime` ahead, and the same for all of a while, so that
    a medium's address does not change with every response."""
    seconds = lifetime.total_seconds()
    return datetime.fromtimestamp((now.timestamp() // seconds + 2) * seconds, UTC)


def seal(grant: Grant, key: bytes) -> str:
    """Returns the token of a grant: URL-safe characters."""
    fields = _FIELDS.pack(
        _ATTACHED if grant.attached else _OWNED,
        grant.media_id.bytes,
        grant.viewer_id.bytes,
        grant.epoch,
        int(grant.expires_at.timestamp()),
    )
    return base64.urlsafe_b64encode(fields + _mac(fields, key)).decode()


def open_token(token: str, key: bytes, now: datetime) -> Grant | None:
    """Returns the grant of a token; None if it is not one of this key, or has expired."""
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.urlsafe_b64encode(sealed).decode() != token:  # another spelling of the same bytes
        return None
    fields, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    if len(fields) != _FIELDS.size or not hmac.compare_digest(mac, _mac(fields, key)):
        return None
    version, media_id, viewer_id, epoch, expires_at = _FIELDS.unpack(fields)
    if version not in (_OWNED, _ATTACHED) or now.timestamp() >= expires_at:
        return None
    return Grant(
        UUID(bytes=media_id),
        UUID(bytes=viewer_id),
        epoch,
        datetime.fromtimestamp(expires_at, UTC),
        version == _ATTACHED,
    )


def _mac(fields: bytes, key: bytes) -> bytes:
    return hmac.digest(key, fields, "sha256")[:_MAC_BYTES]
