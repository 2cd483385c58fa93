"""What can go wrong with a key directory. An invalid proof is ``crypto.transparency.ProofInvalid``."""

from crypto.directory.account_keys import AccountKeys
from crypto.errors import CryptoError


class DirectoryError(CryptoError):
    """Base of the directory's errors. What raises has changed nothing."""


class DirectoryStale(DirectoryError):
    """The newest epoch is older than the client accepts: the directory stands still, or hides newer epochs."""


class KeysRewritten(DirectoryError):
    """What was seen of an account before is not a part of what the directory shows now. Tell the user."""


class UnexpectedKeys(DirectoryError):
    """The owner's device found keys that the owner did not publish. Tell the user, and everybody.

    ``epoch``: where; ``shown``: the keys, if the directory opened its commitment.
    """

    def __init__(self, epoch: int, shown: AccountKeys | None) -> None:
        super().__init__(f"epoch {epoch} shows other keys than the owner's")
        self.epoch = epoch
        self.shown = shown


class PublicationLate(DirectoryError):
    """The directory has not shown the owner's new keys in the time that it promises."""
