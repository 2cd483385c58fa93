"""What a client remembers of the log, and what it demands before it believes more (RFC 6962 §5.3, §5.4)."""

import hmac
from collections.abc import Sequence

from crypto import wire
from crypto.errors import DecodeError
from crypto.transparency.entry import IdentityEntry
from crypto.transparency.errors import ProofInvalid
from crypto.transparency.proofs import verify_consistency, verify_inclusion
from crypto.transparency.tree_head import SignedTreeHead

STATE_VERSION = 1
_LOG_KEY_LENGTH = 32


class LogAuditor:
    """Follows one log. It only ever moves forward, over proofs; two logs with one key cannot both convince it."""

    __slots__ = ("_head", "_log_public")

    def __init__(self, log_public: bytes, head: SignedTreeHead | None = None) -> None:
        """``log_public``: the log's Ed25519 key, 32 bytes. ``head``: the newest one that was verified."""
        self._log_public = log_public
        self._head = head

    @property
    def head(self) -> SignedTreeHead | None:
        """The newest verified head, for comparing notes with other clients."""
        return self._head

    def verify_signature(self, head: SignedTreeHead) -> None:
        """Raise ``ProofInvalid`` unless this log has signed ``head``, whatever it says."""
        head.verify(self._log_public)

    def advance(self, head: SignedTreeHead, consistency: Sequence[bytes]) -> None:
        """Accept a newer head. Raises ``ProofInvalid`` and keeps the old one.

        The first head is taken on trust, as nothing is known before it; ``consistency`` is empty then.
        """
        self.verify_signature(head)
        new = head.head
        if self._head is not None:
            old = self._head.head
            if new.timestamp < old.timestamp:
                raise ProofInvalid("the tree head is older than the one before")
            verify_consistency(old.size, old.root, new.size, new.root, consistency)
        self._head = head

    def check(self, entry: IdentityEntry, index: int, inclusion: Sequence[bytes]) -> None:
        """Check that ``entry`` is in the log, at ``index``, under the newest head. Raises ``ProofInvalid``."""
        if self._head is None:
            raise ProofInvalid("no tree head has been verified yet")
        head = self._head.head
        verify_inclusion(entry.encode(), index, head.size, head.root, inclusion)

    def serialize(self) -> bytes:
        """version(1) | log key(32) | flag [head(114)]. Public, but it must not be rolled back."""
        head = b"\x00" if self._head is None else b"\x01" + self._head.encode()
        return wire.u8(STATE_VERSION) + self._log_public + head

    @classmethod
    def restore(cls, state: bytes, log_public: bytes) -> "LogAuditor":
        """The inverse of ``serialize``. Raises ``DecodeError`` (also for another log's state)."""
        reader = wire.Reader(state, "log auditor")
        reader.state_version(STATE_VERSION)
        if not hmac.compare_digest(reader.take(_LOG_KEY_LENGTH), log_public):
            raise DecodeError("log auditor: the state belongs to another log")
        head = SignedTreeHead.decode(reader.rest()) if reader.flag() else None
        reader.finish()
        return cls(log_public, head)
