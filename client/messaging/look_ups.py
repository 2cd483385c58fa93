"""Look-ups at the key directory: of accounts that something is encrypted for, and of the own account."""

from collections.abc import Collection, Iterator

from client.messaging.changes import Change, DevicesLearned, DirectoryDistrusted
from client.messaging.device import Device
from client.messaging.directory import Directory
from client.messaging.own_keys import OwnKeys
from client.messaging.requests import FetchEpochs, LookUpKeys
from client.messaging.waits import Waits
from client.storage import Database
from crypto.directory import EpochAnswer, LookupAnswer
from crypto.errors import CryptoError

_FRESH_MS = 600_000
"""How old the look-up may be after whose head epochs are checked."""


class LookUps:
    """Opens transactions by itself. `unverified`: accounts whose last look-up has shown no keys, for whatever
    reason."""

    def __init__(self, database: Database, device: Device, directory: Directory) -> None:
        self._database = database
        self._device = device
        self._own = device.address.user
        self._directory = directory
        self._own_keys = OwnKeys(database, device, directory)
        self._changed: set[str] = set()  # accounts that are looked up again, although nothing is sent to them
        self.unverified: set[str] = set()
        self._unknown: set[str] = set()  # accounts that are asked about until they show something new
        self._waits = Waits()

    def devices_changed(self, account_id: str) -> None:
        """The server says that devices of an account have come or gone. Nothing is done for accounts whose keys this
        device has never needed."""
        if self._directory.known(account_id) is not None:
            with self._database.transaction():
                self._directory.distrust(account_id)
            self._changed.add(account_id)

    def connected(self) -> None:
        """The connection is there again: what waits is asked at once."""
        self._waits.clear()

    def next_at(self, now: int) -> int | None:
        """When something is to be asked again."""
        return self._waits.next(now)

    def requests(self, unknown: Collection[str], now: int) -> Iterator[LookUpKeys | FetchEpochs]:
        """What is to be asked now. `unknown`: accounts whose devices have written and are not known."""
        if self._own_keys.due(now):
            known = self._directory.known(self._own)
            fresh = known is not None and now - known.looked_up_at < _FRESH_MS
            yield self._own_keys.request() if fresh else self._directory.request(self._own)
        yield from map(self._directory.request, sorted(self._changed))
        yield from self.unknown(unknown, now)

    def unknown(self, account_ids: Collection[str], now: int) -> Iterator[LookUpKeys]:
        """What is to be asked about accounts whose devices are not known: less and less often, as long as the directory
        shows nothing new."""
        for account_id in sorted(account_ids):
            if self._waits.ready(account_id, now):
                self._unknown.add(account_id)
                yield self._directory.request(account_id)

    def refused(self, account_id: str) -> None:
        """The server shows no keys of an account."""
        self._changed.discard(account_id)
        self.unverified.add(account_id)

    def keys_found(self, account_id: str, encoded: bytes, now: int, *, pending: bool) -> tuple[bool, list[Change]]:
        """Verifies an answer. Returns whether that is done, and what the user is told."""
        found, changes = self._keys_found(account_id, encoded, now)
        if found:
            self.unverified.discard(account_id)
        else:
            self.unverified.add(account_id)
        if not pending:
            self._changed.discard(account_id)
        return found and not pending, changes

    def _keys_found(self, account_id: str, encoded: bytes, now: int) -> tuple[bool, list[Change]]:
        first = self._directory.known(account_id) is None and account_id != self._own
        try:
            with self._database.transaction():
                answer = LookupAnswer.decode(encoded)
                change = self._directory.found(self._device, account_id, answer, now)
                if account_id == self._own and answer.keys is not None:
                    self._own_keys.begin(answer, answer.keys, self._directory.index(account_id, answer), now)
        except CryptoError as error:
            return False, [DirectoryDistrusted(account_id, str(error))]
        if change is None:
            return False, []  # somebody who has no device yet
        is_new = bool(change.added or change.replaced or change.stale)
        if is_new:
            self._waits.succeeded(account_id)
        elif account_id in self._unknown:
            self._waits.failed(account_id, now)
        self._unknown.discard(account_id)
        if not first and is_new:
            return True, [DevicesLearned(account_id, change.added + change.replaced, change.stale)]
        return True, []

    def epochs_found(self, request: FetchEpochs, encoded: tuple[bytes, ...], now: int) -> tuple[bool, list[Change]]:
        """Verifies epochs. Returns whether there were any, and what the user is told."""
        changes: list[Change] = []
        try:
            with self._database.transaction():
                self._own_keys.found(request, [EpochAnswer.decode(each) for each in encoded], now)
        except CryptoError as error:
            self._own_keys.failed(now)
            changes.append(DirectoryDistrusted(self._own, str(error)))
        return bool(encoded) or request.first >= request.size, changes
