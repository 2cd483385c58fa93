"""What can go wrong with the files of an account."""


class StorageError(Exception):
    """Base of the storage's errors. What raises has changed nothing. The text is for the user."""


class AccountExists(StorageError):
    """There is an account of this name already."""


class AccountUnknown(StorageError):
    """There is no account of this name."""


class AccountInUse(StorageError):
    """Another process has the account open. Two would use the same message keys."""


class WrongPassphrase(StorageError):
    """The passphrase does not open the account, or there was none and it needs one."""


class KeyringUnavailable(StorageError):
    """This system has no keyring, or it is locked: unlock it, or use a passphrase."""


class KeyLost(StorageError):
    """The keyring has no key for the account, or one that does not open it. What it contains cannot be read."""


class StorageTooNew(StorageError):
    """A newer version of the client wrote the database."""
