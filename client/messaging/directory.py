"""What this device knows of the key directory: verified keys of accounts, and the tree head that proves them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from client.messaging.device import Device
from client.messaging.requests import LookUpKeys
from client.storage import Database
from crypto.directory import AccountKeys, DirectoryKeys, LookupAnswer, SeenKeys, check_lookup, vrf
from crypto.directory.map_proof import INDEX_LENGTH
from crypto.identity import IdentityKey
from crypto.sessions import RosterChange
from crypto.transparency import LogAuditor

MAX_AGE_MS = 3_600_000
"""How old the newest epoch may be, and for how long keys that were looked up are taken to be the newest."""

DIRECTORY_DELAY_MS = 300_000
"""How long after a message was sent the directory may still not show its device."""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """`epoch_at`: the directory's time when it proved that these are the newest."""

    keys: AccountKeys
    looked_up_at: int
    epoch_at: int


class Directory:
    """Callers hold the transaction."""

    def __init__(self, database: Database, directory: DirectoryKeys) -> None:
        self._database = database
        self._directory = directory

    def known(self, account_id: str) -> KnownKeys | None:
        """What the directory has proven of an account; None if it was never looked up, or has no keys."""
        rows = self._database.rows(
            "select keys, looked_up_at, epoch_at from directory_keys where account_id = ?", account_id
        )
        return KnownKeys(AccountKeys.decode(rows[0][0]), rows[0][1], rows[0][2]) if rows else None

    def devices(self, account_id: str) -> dict[int, IdentityKey]:
        """The devices of an account as known, by number."""
        known = self.known(account_id)
        return {} if known is None else dict(known.keys.devices)

    def due(self, account_id: str, now: int) -> bool:
        """Whether an account is to be looked up before something is encrypted for it."""
        known = self.known(account_id)
        return known is None or now - known.looked_up_at > MAX_AGE_MS

    def due_among(self, account_ids: Iterable[str], now: int) -> list[str]:
        """Those accounts that are to be looked up, by one query: they may be 1,500."""
        rows = self._database.rows(
            "select value from json_each(?) where not exists"
            " (select 1 from directory_keys where account_id = value and ? - looked_up_at <= ?)",
            *(json.dumps(list(account_ids)), now, MAX_AGE_MS),
        )
        return [account_id for (account_id,) in rows]

    def may_show(self, account_id: str, sent_at: int, now: int) -> bool:
        """Whether a look-up at an account could show a device that has sent something, and the last one did not.
        `sent_at` is the server's word: nothing waits for what was sent in the future."""
        known = self.known(account_id)
        return known is None or (known.epoch_at <= sent_at + DIRECTORY_DELAY_MS and sent_at <= now + DIRECTORY_DELAY_MS)

    def distrust(self, account_id: str) -> None:
        """The server says that an account's devices have changed: makes a look-up due."""
        self._database.execute("update directory_keys set looked_up_at = 0 where account_id = ?", account_id)

    def request(self, account_id: str) -> LookUpKeys:
        known = self.known(account_id)
        return LookUpKeys(account_id, self.size(), 0 if known is None else known.keys.number)

    def found(self, device: Device, account_id: str, answer: LookupAnswer, now: int) -> RosterChange | None:
        """Verifies a look-up's answer and takes over the account's devices. Returns what has changed since the last
        one; None if the account has no keys.

        Raises `ProofInvalid`, `DirectoryStale` or `KeysRewritten`; the caller's transaction must not be committed then.
        """
        auditor, known = self.auditor(), self.known(account_id)
        seen = None if known is None else SeenKeys(known.keys.number, known.keys.digest)
        keys = check_lookup(self._directory, auditor, account_id, answer, seen, now=now, max_age=MAX_AGE_MS)
        self._database.execute(
            "insert or replace into state (name, value) values ('log_auditor', ?)", auditor.serialize()
        )
        if keys is None:
            return None
        self._database.execute(
            "insert or replace into directory_keys (account_id, keys, looked_up_at, epoch_at) values (?, ?, ?, ?)",
            account_id,
            keys.encode(),
            now,
            answer.epoch.timestamp,
        )
        sessions = device.open_sessions((account_id,))
        # A device that came and went since the last look-up may have written: its messages can be read, too.
        versions = (*(answer.history if seen is not None else ()), keys)
        for version in versions:
            for number, identity in version.devices:
                self._database.execute(
                    "insert or ignore into shown_devices (account_id, device, identity) values (?, ?, ?)",
                    *(account_id, number, identity.encode()),
                )
        changes = [sessions.update_roster(account_id, dict(version.devices), now // 1000) for version in versions]
        return RosterChange(
            tuple(each for change in changes for each in change.added if each.device in dict(keys.devices)),
            tuple(each for change in changes for each in change.replaced),
            tuple(each for change in changes for each in change.stale),
        )

    def size(self) -> int:
        """How many epochs the newest verified head has; 0 for none."""
        head = self.auditor().head
        return 0 if head is None else head.head.size

    def index(self, account_id: str, answer: LookupAnswer) -> bytes:
        """Where an account stands in the map. Raises ProofInvalid."""
        return vrf.verify(self._directory.vrf, account_id.encode(), answer.vrf_proof)[:INDEX_LENGTH]

    def auditor(self) -> LogAuditor:
        rows = self._database.rows("select value from state where name = 'log_auditor'")
        return LogAuditor.restore(rows[0][0], self._directory.log) if rows else LogAuditor(self._directory.log)
