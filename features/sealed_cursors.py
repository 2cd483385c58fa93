"""Cursors that tell their reader nothing, for lists that pass over what the reader may not see.

A page of such a list may end at a hidden item (features/bounded_lists.py), whose time and id the next page needs. So
all cursors of the list are encrypted and authenticated (AES-SIV, RFC 5297), with the list as associated data: a reader
who could choose a position, or use one in another list, would find the hidden item's time by trying.
Sealing is deterministic: the same page has the same text, and the same ETag.
"""

import base64
import hmac
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from features.paging import BadCursor, Cursor, PageRequest


@dataclass(frozen=True, slots=True)
class SealedPageRequest:
    """A requested page: at most `limit` items after `cursor`, the text of a sealed one."""

    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CursorsOfList:
    """Seals and opens the cursors of one list."""

    cipher: AESSIV = field(repr=False)
    name: bytes

    def seal(self, cursor: Cursor) -> str:
        """Returns the text of a position: 54 URL-safe characters."""
        return base64.urlsafe_b64encode(self.cipher.encrypt(cursor.pack(), [self.name])).decode().rstrip("=")

    def open(self, asked: SealedPageRequest) -> PageRequest:
        """Returns the page that is asked for. Raises BadCursor unless the cursor is one that this list returned."""
        if not asked.cursor:
            return PageRequest(asked.limit)
        try:
            sealed = base64.b64decode(asked.cursor.encode("ascii") + b"==", altchars=b"-_", validate=True)
            return PageRequest(asked.limit, Cursor.unpack(self.cipher.decrypt(sealed, [self.name])))
        except (ValueError, InvalidTag):
            raise BadCursor from None


@dataclass(frozen=True, slots=True)
class SealedCursors:
    """The key of a brand's sealed cursors."""

    cipher: AESSIV = field(repr=False)

    @classmethod
    def of_brand(cls, cluster_secret: bytes, brand: str) -> Self:
        """Returns a brand's. With another secret, cursors from before are refused."""
        return cls(AESSIV(hmac.digest(cluster_secret, b"entativa sealed cursors v1\0" + brand.encode(), "sha512")))

    def of(self, name: str) -> CursorsOfList:
        """Returns the cursors of the list with this name, which no other list has."""
        return CursorsOfList(self.cipher, name.encode())
