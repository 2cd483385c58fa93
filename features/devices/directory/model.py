"""The data of the key directory."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from crypto.directory import AccountKeys, DirectoryKeys, Epoch
from crypto.transparency import SignedTreeHead, TreeHead


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """An epoch, and the log's head that has it as its last entry. `log_root`: 32 bytes. `log_key`: whose signature it
    is."""

    epoch: Epoch
    log_root: bytes
    signature: bytes
    log_key: bytes

    @property
    def head(self) -> SignedTreeHead:
        return SignedTreeHead(TreeHead(self.epoch.timestamp, self.size, self.log_root), self.signature)

    @property
    def size(self) -> int:
        """The number of epochs up to this one."""
        return self.epoch.number + 1


@dataclass(frozen=True, slots=True)
class Submission:
    """A version of an account's keys that no epoch shows."""

    account_id: UUID
    keys: AccountKeys


@dataclass(frozen=True, slots=True)
class KeysVersion:
    """A version of an account's keys. `shown_in`: the first epoch that shows it, None if none does."""

    keys: AccountKeys
    shown_in: int | None

    def shown_by(self, epoch: int) -> bool:
        """Returns whether this epoch shows it or a newer one."""
        return self.shown_in is not None and self.shown_in <= epoch


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """`waiting`: accounts that the next epoch can show; `recent`: epochs closed within an hour. `now_ms` and
    `newest_ms`, of the newest epoch, are milliseconds since 1970; None before the first."""

    now_ms: int
    waiting: int
    recent: int
    newest_ms: int | None

    @property
    def since(self) -> timedelta | None:
        """The time since the newest epoch, negative if that is ahead; None before the first."""
        return None if self.newest_ms is None else timedelta(milliseconds=self.now_ms - self.newest_ms)


@dataclass(frozen=True, slots=True)
class DirectoryInfo:
    """What clients need to know of a directory: its public keys, its newest head, and after how many milliseconds
    they should distrust it."""

    public: DirectoryKeys
    head: SignedTreeHead
    max_age_ms: int


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """What a look-up finds. `answer`: crypto.directory.LookupAnswer, encoded. `pending`: newer versions that the next
    epochs will show, encoded, oldest first."""

    answer: bytes
    pending: tuple[bytes, ...]
