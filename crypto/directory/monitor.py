"""The owner's side: every device checks its own account's entry in *every* epoch, so that keys that it did not publish
are noticed, even if they stood there for one epoch only.

The bound: keys that stand in an epoch are noticed by the first ``check`` after it, which is due every ``interval``
(``overdue``). ``check`` refuses answers that leave an epoch out or that end with an epoch older than ``max_age``.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from crypto import wire
from crypto.directory.account_keys import OPENING_LENGTH, AccountKeys
from crypto.directory.epoch import Epoch
from crypto.directory.errors import DirectoryStale, PublicationLate, UnexpectedKeys
from crypto.directory.map_proof import HASH_LENGTH, INDEX_LENGTH, MapProof
from crypto.errors import DecodeError
from crypto.transparency import LogAuditor, ProofInvalid

STATE_VERSION = 1
_VERSION = 1
_MAX_PROOF = 64
_MAX_KEYS = 4_096


@dataclass(frozen=True, slots=True)
class EpochAnswer:
    """One epoch of one account. ``opened`` (keys and opening) is there where the commitment differs from before."""

    epoch: Epoch
    inclusion: tuple[bytes, ...]
    map_proof: MapProof
    commitment: bytes | None
    opened: tuple[AccountKeys, bytes] | None = None

    def encode(self) -> bytes:
        """version(1) | epoch(50) | inclusion | map proof | flag [commitment(32)] | flag [opening(32) | keys block]."""
        parts = [wire.u8(_VERSION), self.epoch.encode(), wire.u32(len(self.inclusion)), *self.inclusion]
        parts.append(self.map_proof.encode())
        parts.append(b"\x00" if self.commitment is None else b"\x01" + self.commitment)
        if self.opened is None:
            parts.append(b"\x00")
        else:
            keys, opening = self.opened
            parts += [b"\x01", opening, wire.block(keys.encode())]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "EpochAnswer":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "epoch answer")
        reader.format_version(_VERSION)
        epoch = Epoch.read(reader)
        inclusion = tuple(reader.take(HASH_LENGTH) for _ in range(reader.count(_MAX_PROOF)))
        map_proof = MapProof.read(reader)
        commitment = reader.take(HASH_LENGTH) if reader.flag() else None
        opened = None
        if reader.flag():
            opening = reader.take(OPENING_LENGTH)
            opened = AccountKeys.decode(reader.block(_MAX_KEYS)), opening
        reader.finish()
        return cls(epoch, inclusion, map_proof, commitment, opened)


class OwnerMonitor:
    """What one device remembers of its own account's entry.

    ``check`` raises and changes nothing, or moves on. The caller stores ``serialize()`` afterwards.
    """

    __slots__ = ("_checked_at", "_commitment", "_index", "_latest", "_next", "_pending", "_published_at", "_version")

    def __init__(self, index: bytes, first_epoch: int, now: int) -> None:
        """``index``: of the account, from a verified lookup, 32 bytes. ``first_epoch``: the first one to check, where
        the account is absent. ``now``: milliseconds.
        """
        wire.require_length("an index", index, INDEX_LENGTH)
        self._index = index
        self._next = first_epoch
        self._checked_at = now
        self._latest = 0  # timestamp of the newest epoch checked
        self._commitment: bytes | None = None  # of the keys that the directory is known to show
        self._version: AccountKeys | None = None
        self._pending: AccountKeys | None = None
        self._published_at = 0

    @classmethod
    def of_account(cls, index: bytes, keys: AccountKeys, opening: bytes, epoch: int, now: int) -> "OwnerMonitor":
        """For a device that joins an account: ``keys`` with ``opening`` are what a lookup has proven in ``epoch``, and
        the user has said that these devices are all of them.
        """
        monitor = cls(index, epoch, now)
        monitor._version, monitor._commitment = keys, keys.commitment(opening)
        return monitor

    @property
    def next_epoch(self) -> int:
        """The first epoch that has not been checked."""
        return self._next

    @property
    def keys(self) -> AccountKeys | None:
        """The newest keys that the directory has shown."""
        return self._version

    def overdue(self, now: int, interval: int) -> bool:
        """Whether the last check is longer ago than ``interval`` milliseconds: check, or warn the user."""
        return now - self._checked_at > interval

    def publish(self, keys: AccountKeys, now: int) -> None:
        """The owner has sent ``keys`` to the directory, from this or another device. Raises ``ValueError`` unless they
        follow the newest.
        """
        newest = self._pending or self._version
        if newest is not None and not keys.follows(newest.number, newest.digest):
            raise ValueError("the keys do not follow the newest version")
        if self._pending is not None:
            raise ValueError("a version is still on its way")
        self._pending, self._published_at = keys, now

    def check(
        self, auditor: LogAuditor, answers: Sequence[EpochAnswer], *, now: int, max_age: int, max_delay: int
    ) -> None:
        """Check all epochs up to the auditor's head, none left out.

        Times are in milliseconds. Raises ``UnexpectedKeys``; ``DirectoryStale`` if the last epoch is further than
        ``max_age`` from ``now``; ``PublicationLate`` if what was published more than ``max_delay`` ago is not there;
        ``ProofInvalid``.
        """
        if auditor.head is None:
            raise ProofInvalid("no tree head has been verified yet")
        if [answer.epoch.number for answer in answers] != list(range(self._next, auditor.head.head.size)):
            raise ProofInvalid("epochs are left out")
        commitment, version, pending, latest = self._commitment, self._version, self._pending, self._latest
        for answer in answers:
            answer.epoch.verify_in(auditor.head, answer.inclusion)
            answer.map_proof.verify(answer.epoch.root, self._index, answer.commitment)
            if answer.epoch.timestamp < latest:
                raise ProofInvalid("epochs go back in time")
            latest = answer.epoch.timestamp
            if self._same(answer.commitment, commitment):
                continue
            keys = self._opened(answer)
            if pending is None or keys != pending:
                raise UnexpectedKeys(answer.epoch.number, keys)
            commitment, version, pending = answer.commitment, keys, None
        if abs(now - latest) > max_age:  # one from the future would never grow too old
            raise DirectoryStale("the newest epoch is too old, or from the future")
        if pending is not None and now - self._published_at > max_delay:
            raise PublicationLate("the directory does not show what was published")
        self._commitment, self._version, self._pending = commitment, version, pending
        self._next, self._checked_at, self._latest = auditor.head.head.size, now, latest

    @staticmethod
    def _same(one: bytes | None, other: bytes | None) -> bool:
        if one is None or other is None:
            return one is other
        return hmac.compare_digest(one, other)

    @staticmethod
    def _opened(answer: EpochAnswer) -> AccountKeys | None:
        if answer.opened is None or answer.commitment is None:
            return None
        keys, opening = answer.opened
        return keys if hmac.compare_digest(keys.commitment(opening), answer.commitment) else None

    def serialize(self) -> bytes:
        """version(1) | index(32) | next epoch(8) | checked at(8) | newest epoch at(8) | published at(8)
        | flag [commitment(32)] | keys block | pending block. Public, but it must not be rolled back.
        """
        return b"".join(
            (
                wire.u8(STATE_VERSION),
                self._index,
                wire.u64(self._next),
                wire.u64(self._checked_at),
                wire.u64(self._latest),
                wire.u64(self._published_at),
                b"\x00" if self._commitment is None else b"\x01" + self._commitment,
                wire.block(b"" if self._version is None else self._version.encode()),
                wire.block(b"" if self._pending is None else self._pending.encode()),
            )
        )

    @classmethod
    def restore(cls, state: bytes) -> "OwnerMonitor":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "owner's monitor")
        reader.state_version(STATE_VERSION)
        monitor = cls(reader.take(INDEX_LENGTH), reader.integer(8), reader.integer(8))
        monitor._latest, monitor._published_at = reader.integer(8), reader.integer(8)
        monitor._commitment = reader.take(HASH_LENGTH) if reader.flag() else None
        version, pending = reader.block(_MAX_KEYS), reader.block(_MAX_KEYS)
        reader.finish()
        monitor._version = AccountKeys.decode(version) if version else None
        monitor._pending = AccountKeys.decode(pending) if pending else None
        if (monitor._commitment is None) != (monitor._version is None):
            raise DecodeError("owner's monitor: a commitment without keys, or the reverse")
        return monitor
