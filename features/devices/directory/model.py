"""The data of the key directory."""

from dataclasses import dataclass
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
