"""The own account's entry in the key directory, checked in every epoch: keys that this device does not know of must not
stand there unnoticed, however shortly.
"""

from client.messaging.device import Device
from client.messaging.directory import MAX_AGE_MS, Directory
from client.messaging.requests import FetchEpochs
from client.storage import Database
from crypto.directory import AccountKeys, EpochAnswer, LookupAnswer, OwnerMonitor, UnexpectedKeys

CHECK_MS = 3_600_000
"""How often the epochs since the last check are checked."""
_MAX_DELAY_MS = 600_000


class OwnKeys:
    """Callers hold the transaction."""

    def __init__(self, database: Database, device: Device, directory: Directory) -> None:
        self._database = database
        self._device = device
        self._directory = directory
        self._answers: list[EpochAnswer] = []
        self._size = 0  # of the head that the answers are for
        self._failed_at = 0

    def begin(self, answer: LookupAnswer, keys: AccountKeys, index: bytes, now: int) -> None:
        """Begins with a verified look-up of the own account. Raises UnexpectedKeys if this device is not in it. (The
        user is told of others that are.)"""
        if self._monitor() is not None:
            return
        own = self._device.address.device, self._device.identity.public
        if own not in keys.devices or answer.opening is None:
            raise UnexpectedKeys(answer.epoch.number, keys)
        self._store(OwnerMonitor.of_account(index, keys, answer.opening, answer.epoch.number, now))

    def due(self, now: int) -> bool:
        """Whether epochs are to be checked."""
        monitor = self._monitor()
        return monitor is not None and monitor.overdue(now, CHECK_MS) and now - self._failed_at > CHECK_MS

    def failed(self, now: int) -> None:
        """A check has found something: the user was told, and is told again with the next check."""
        self._answers, self._failed_at = [], now

    def request(self) -> FetchEpochs:
        """The request for the next epochs up to the newest verified head."""
        monitor, size = self._monitor(), self._directory.size()
        assert monitor is not None
        if size != self._size:
            self._answers, self._size = [], size
        return FetchEpochs(monitor.next_epoch + len(self._answers), size)

    def found(self, request: FetchEpochs, answers: list[EpochAnswer], now: int) -> None:
        """Takes the answers, and checks when all are there. Raises UnexpectedKeys, DirectoryStale or ProofInvalid."""
        monitor = self._monitor()
        if monitor is None or request != self.request():
            return  # of a former head
        self._answers += answers[: self._size - request.first]
        if monitor.next_epoch + len(self._answers) < self._size:
            return
        answers, self._answers = self._answers, []
        monitor.check(self._directory.auditor(), answers, now=now, max_age=MAX_AGE_MS, max_delay=_MAX_DELAY_MS)
        self._store(monitor)

    def _monitor(self) -> OwnerMonitor | None:
        rows = self._database.rows("select value from state where name = 'owner_monitor'")
        return OwnerMonitor.restore(rows[0][0]) if rows else None

    def _store(self, monitor: OwnerMonitor) -> None:
        self._database.execute(
            "insert or replace into state (name, value) values ('owner_monitor', ?)", monitor.serialize()
        )
