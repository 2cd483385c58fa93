"""What can go wrong with a backup. The texts are for the user."""


class ClientBackupError(Exception):
    """Base of these errors. What raises has changed nothing on this device."""


class BackupDamaged(ClientBackupError):
    """The backup was altered or cut, or is not one."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the backup is damaged: {why}")


class BackupTooNew(ClientBackupError):
    """A newer version of the client wrote the backup."""

    def __init__(self) -> None:
        super().__init__("a newer version of this program wrote the backup: update")


class NoBackup(ClientBackupError):
    """There is no backup at this place."""

    def __init__(self) -> None:
        super().__init__("there is no backup")


class NoSuchForm(ClientBackupError):
    """The backup cannot be opened in this way."""

    def __init__(self, form: str) -> None:
        super().__init__(f"this backup has no {form}")


class NotTheKey(ClientBackupError):
    """The secret does not open the backup."""

    def __init__(self, text: str = "this does not open the backup") -> None:
        super().__init__(text)


class AnotherBackup(ClientBackupError):
    """There is a backup at this place that this device does not belong to."""

    def __init__(self) -> None:
        super().__init__("there is a backup already that another recovery key opens: restore from it, or delete it")


class OlderBackup(ClientBackupError):
    """The place gives an older version of the backup than it had."""

    def __init__(self) -> None:
        super().__init__("the place has lost the newest version of the backup, or keeps it back")


class BusyBackup(ClientBackupError):
    """Other devices write the backup all the time."""

    def __init__(self) -> None:
        super().__init__("other devices of yours are writing the backup: try again")
