"""Comparing tree heads with other clients, who put them into encrypted messages that the log's operator cannot alter.

A log that shows two people two histories has signed two heads that no consistency proof connects. Two heads of one
size with different roots show that at once; for other sizes the log has to prove that one extends the other, in
bounded time.
"""

from dataclasses import dataclass

from crypto import wire
from crypto.transparency.auditor import LogAuditor
from crypto.transparency.errors import ProofInvalid
from crypto.transparency.proofs import verify_consistency
from crypto.transparency.tree_head import SignedTreeHead

STATE_VERSION = 1
MAX_PENDING = 64


class SplitView(ProofInvalid):
    """The log has signed two histories. The two heads prove it to anybody."""

    def __init__(self, own: SignedTreeHead, heard: SignedTreeHead) -> None:
        super().__init__("two signed heads of one size have different roots")
        self.own = own
        self.heard = heard


@dataclass(frozen=True, slots=True)
class ConsistencyNeeded:
    """Ask the log for PROOF(``old_size``, D[``size``]) and give it to ``HeadGossip.settle``."""

    old_size: int
    size: int


def _needed(one: SignedTreeHead, other: SignedTreeHead) -> ConsistencyNeeded:
    old, new = sorted((one.head.size, other.head.size))
    return ConsistencyNeeded(old, new)


class HeadGossip:
    """Heads heard from others that the log has not yet proven to be of the history that this client follows.

    The caller stores ``serialize()`` after each call.
    """

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[bytes, int] = {}  # encoded head -> when it was heard

    def hear(self, auditor: LogAuditor, heard: SignedTreeHead, now: int) -> ConsistencyNeeded | None:
        """Compare a head out of a message with the auditor's, at ``now`` (milliseconds).

        None if they agree. Raises ``SplitView``, also for two heard heads; or ``ProofInvalid`` for a head that the log
        has not signed, which says something about the sender only. Heads that differ only in their timestamp wait as
        one. At most 64 wait for a proof; more are not taken while these wait.
        """
        auditor.verify_signature(heard)
        own = auditor.head
        if own is not None and own.head.size == heard.head.size:
            if own.head.root != heard.head.root:
                raise SplitView(own, heard)
            return None
        same_size = next((head for head in self.waiting() if head.head.size == heard.head.size), None)
        if same_size is not None and same_size.head.root != heard.head.root:
            raise SplitView(same_size, heard)
        if same_size is None and len(self._pending) < MAX_PENDING:
            self._pending[heard.encode()] = now
        return None if own is None else _needed(own, heard)

    def settle(self, auditor: LogAuditor, heard: SignedTreeHead, proof: list[bytes]) -> None:
        """Check the log's proof that ``heard`` and the auditor's head are of one history, and forget ``heard``.

        Raises ``ProofInvalid`` (or ``SplitView``) and keeps it.
        """
        own = auditor.head
        if own is None:
            raise ProofInvalid("no tree head has been verified yet")
        auditor.verify_signature(heard)
        old, new = sorted((own.head, heard.head), key=lambda head: head.size)
        if old.size == new.size and old.root != new.root:
            raise SplitView(own, heard)
        verify_consistency(old.size, old.root, new.size, new.root, proof)
        for waiting in self.waiting():
            if (waiting.head.size, waiting.head.root) == (heard.head.size, heard.head.root):
                del self._pending[waiting.encode()]

    def waiting(self) -> tuple[SignedTreeHead, ...]:
        """The heads without a proof, the oldest first."""
        return tuple(SignedTreeHead.decode(encoded) for encoded in self._pending)

    def overdue(self, now: int, limit: int) -> tuple[SignedTreeHead, ...]:
        """Those that wait for longer than ``limit`` milliseconds: the log cannot or will not explain them. Warn."""
        return tuple(
            SignedTreeHead.decode(encoded) for encoded, heard_at in self._pending.items() if now - heard_at > limit
        )

    def serialize(self) -> bytes:
        """version(1) | count(4), heard at(8) head(114) ..."""
        parts = [wire.u8(STATE_VERSION), wire.u32(len(self._pending))]
        parts += [wire.u64(heard_at) + encoded for encoded, heard_at in self._pending.items()]
        return b"".join(parts)

    @classmethod
    def restore(cls, state: bytes) -> "HeadGossip":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "head gossip")
        reader.state_version(STATE_VERSION)
        gossip = cls()
        for _ in range(reader.count(MAX_PENDING)):
            heard_at = reader.integer(8)
            gossip._pending[SignedTreeHead.decode(reader.take(SignedTreeHead.LENGTH)).encode()] = heard_at
        reader.finish()
        return gossip
