"""The tokens of links: the id of a link and when it expires, authenticated with HMAC-SHA256. A token says nothing about
the post or about who made the link, and one that was made up or has expired is refused without a look into storage."""

import base64
import binascii
import hmac
from datetime import datetime
from struct import Struct
from uuid import UUID

_FIELDS = Struct(">16sQ")
_MAC_BYTES = 18
"""With the fields a multiple of three bytes, so that Base64 needs no padding."""


def derive_key(cluster_secret: bytes, brand: str) -> bytes:
    """Returns the key of a brand's tokens."""
    return hmac.digest(cluster_secret, b"entativa share links v1\0" + brand.encode(), "sha256")


def seal(link_id: UUID, expires_at: datetime, key: bytes) -> str:
    """Returns the token of a link: URL-safe characters."""
    fields = _FIELDS.pack(link_id.bytes, int(expires_at.timestamp()))
    return base64.urlsafe_b64encode(fields + _mac(fields, key)).decode()


def open_token(token: str, key: bytes, now: datetime) -> UUID | None:
    """Returns the link of a token; None if it is not one of this key, or has expired."""
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.urlsafe_b64encode(sealed).decode() != token:  # another spelling of the same bytes
        return None
    fields, mac = sealed[: _FIELDS.size], sealed[_FIELDS.size :]
    if len(fields) != _FIELDS.size or not hmac.compare_digest(mac, _mac(fields, key)):
        return None
    link_id, expires_at = _FIELDS.unpack(fields)
    return UUID(bytes=link_id) if now.timestamp() < expires_at else None


def _mac(fields: bytes, key: bytes) -> bytes:
    return hmac.digest(key, fields, "sha256")[:_MAC_BYTES]
