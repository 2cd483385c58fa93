"""Tokens of references: kind, target, who made it and when, authenticated with HMAC-SHA256. Nothing is stored: the
server does not know which of them were ever sent."""

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from struct import Struct
from uuid import UUID

from features.message_references.model import Reference, ReferenceKind

_FIELDS = Struct(">B16s16sQ")
_MAC_BYTES = 19
"""With the fields a multiple of three bytes, so that Base64 needs no padding."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def derive_key(cluster_secret: bytes, brand: str) -> bytes:
    """Returns the key of a brand's tokens."""
    return hmac.digest(cluster_secret, b"entativa message references v1\0" + brand.encode(), "sha256")


def seal(reference: Reference, key: bytes) -> str:
    """Returns the token of a reference: 80 URL-safe characters."""
    at = (reference.at - _EPOCH) // _MICROSECOND
    fields = _FIELDS.pack(reference.kind, reference.target_id.bytes, reference.by.bytes, at)
    return base64.urlsafe_b64encode(fields + _mac(fields, key)).decode()


def open_token(token: str, key: bytes) -> Reference | None:
    """Returns the reference of a token; None if it is not one of this key."""
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.urlsafe_b64encode(sealed).decode() != token:  # another spelling of the same bytes
        return None
    fields, mac = sealed[: _FIELDS.size], sealed[_FIELDS.size :]
    if len(fields) != _FIELDS.size or not hmac.compare_digest(mac, _mac(fields, key)):
        return None
    kind, target_id, by, at = _FIELDS.unpack(fields)
    return Reference(ReferenceKind(kind), UUID(bytes=target_id), UUID(bytes=by), _EPOCH + at * _MICROSECOND)


def _mac(fields: bytes, key: bytes) -> bytes:
    return hmac.digest(key, fields, "sha256")[:_MAC_BYTES]
