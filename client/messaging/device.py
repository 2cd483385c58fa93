"""This device: its address, identity, prekeys and sessions in the account's database."""

from collections.abc import Collection, Iterable, Mapping

from client.messaging.values import Values
from client.storage import Database
from crypto.handshake import PreKeyBundle, PreKeyStore
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress, NoSession, RosterChange, SessionStore

ROTATION_S = 7 * 86_400
KEEP_S = 45 * 86_400
"""How long replaced prekeys and removed devices can still be read: longer than a message waits on the server."""


class NotRegistered(Exception):
    """The account on this device has no device number yet."""


class Device:
    """Reads from and writes to the database only; callers hold the transaction."""

    def __init__(self, database: Database, randomness: Randomness) -> None:
        self._database = database
        self._values = Values(database)
        self._randomness = randomness

    def prepare(self, account_id: str) -> IdentityKeyPair:
        """Returns the identity with which this device is registered; a repetition returns the same one."""
        existing = self._values.get("identity")
        if existing is not None:
            return IdentityKeyPair.restore(existing)
        identity = IdentityKeyPair.generate(self._randomness)
        self._values.put("identity", identity.serialize())
        self._values.put("account_id", account_id.encode())
        self._values.put("prekeys", PreKeyStore(identity).serialize())
        return identity

    def registered(self, number: int) -> None:
        """The server has registered this device under a number."""
        self._values.put("device", str(number).encode())

    @property
    def is_registered(self) -> bool:
        """Whether the server has ever registered this device."""
        return self._values.get("device") is not None

    @property
    def address(self) -> DeviceAddress:
        """Raises NotRegistered."""
        account_id, number = self._values.get("account_id"), self._values.get("device")
        if account_id is None or number is None:
            raise NotRegistered("this account has no device here yet")
        return DeviceAddress(account_id.decode(), int(number))

    @property
    def identity(self) -> IdentityKeyPair:
        """Raises NotRegistered."""
        stored = self._values.get("identity")
        if stored is None:
            raise NotRegistered("this account has no device here yet")
        return IdentityKeyPair.restore(stored)

    # --- prekeys ------------------------------------------------------------------------------------------------

    def prekeys_due(self, now_s: int) -> bool:
        """Whether the signed prekey is missing or old."""
        return self._prekeys(self.identity).rotation_due(now_s, ROTATION_S)

    def has_prekeys(self) -> bool:
        """Whether this device has ever made a signed prekey."""
        return not self._prekeys(self.identity).rotation_due(0, ROTATION_S)

    def make_prekeys(self, one_time: int, kem: int, now_s: int) -> None:
        """Makes so many one-time prekeys of each kind, and a signed prekey if it is due. `upload` has their public
        halves until `uploaded`; one-time prekeys of an upload that it replaces are never published."""
        store = self._prekeys(self.identity)
        if store.rotation_due(now_s, ROTATION_S):
            store.rotate(now_s, self._randomness)
            store.expire(now_s, KEEP_S)
        made, made_kem = store.replenish(max(one_time, kem), self._randomness)
        published = store.publish(made[:one_time], made_kem[:kem])
        self._values.put("prekeys", store.serialize())
        self._values.put("upload", published.encode())

    @property
    def upload(self) -> bytes | None:
        """The public halves that the server does not have for certain, None if it has all."""
        return self._values.get("upload")

    def uploaded(self, published: bytes) -> None:
        """The server has these public halves."""
        self._database.execute("delete from state where name = 'upload' and value = ?", published)

    # --- sessions -----------------------------------------------------------------------------------------------

    def open_sessions(self, accounts: Iterable[str]) -> "Sessions":
        """The sessions with the devices of these accounts."""
        identity = self.identity
        prekeys = self._prekeys(identity)
        states: list[bytes] = []
        for account_id in set(accounts):
            rows = self._database.rows("select state from sessions where account_id = ?", account_id)
            states += [state for (state,) in rows]
        return Sessions(self._database, SessionStore(self.address, identity, prekeys, states), prekeys)

    def _prekeys(self, identity: IdentityKeyPair) -> PreKeyStore:
        stored = self._values.get("prekeys")
        assert stored is not None
        return PreKeyStore.restore(stored, identity)


class Sessions:
    """Some of the sessions and the prekeys, for one transaction. Methods that change something write it."""

    def __init__(self, database: Database, store: SessionStore, prekeys: PreKeyStore) -> None:
        self._database = database
        self._store = store
        self._prekeys = prekeys
        self._used: set[DeviceAddress] = set()

    def update_roster(self, account_id: str, devices: Mapping[int, IdentityKey], now_s: int) -> RosterChange:
        """Takes over the devices of an account."""
        change = self._store.update_roster(account_id, devices, now_s)
        for address in self._store.expire(now_s, KEEP_S):
            self._database.execute(
                "delete from sessions where account_id = ? and device = ?", address.user, address.device
            )
        self._write({*change.stale, *self._store.devices(account_id)})
        return change

    def start(self, address: DeviceAddress, bundle: PreKeyBundle, randomness: Randomness) -> None:
        """Begins a session with a device. Raises SessionError or HandshakeError."""
        self._store.start(address, bundle, randomness)
        self._write({address})

    def encrypt_for(
        self,
        peer: str,
        own: str,
        plaintext: bytes,
        randomness: Randomness,
        without: Collection[DeviceAddress],
        renew: Collection[DeviceAddress] = (),
    ) -> dict[DeviceAddress, bytes]:
        """A message for every device of two accounts, except this one and those of `without` that there is no session
        with; but for one of the peer's at least. Those of `renew` need a new session. Raises NoSession."""
        missing = {user: self._store.without_session(user) for user in (peer, own)}
        for user in missing:
            old = [each for each in self._store.devices(user) if each in renew and each not in without]
            missing[user] += tuple(each for each in old if each not in missing[user])
        if len(missing[peer]) == len(self._store.devices(peer)):
            raise NoSession(missing[peer])
        asked = tuple(each for user in (peer, own) for each in missing[user] if each not in without)
        if asked:
            raise NoSession(asked)
        addresses = [each for user in (peer, own) for each in self._store.devices(user) if each not in missing[user]]
        encrypted = {each: self._store.encrypt(each, plaintext, randomness) for each in addresses}
        self._write(encrypted)
        return encrypted

    def decrypt(self, sender: DeviceAddress, ciphertext: bytes) -> bytes:
        """Decrypts a message. `write_used` has to be called before the transaction ends. Raises SessionError."""
        plaintext = self._store.decrypt(sender, ciphertext)
        self._used.add(sender)
        return plaintext

    def write_used(self) -> None:
        """Writes what `decrypt` has changed: the sessions, and the prekeys that first messages have used up."""
        if self._used:
            self._write(self._used)
            self._database.execute("update state set value = ? where name = 'prekeys'", self._prekeys.serialize())

    def _write(self, addresses: Iterable[DeviceAddress]) -> None:
        for address in addresses:
            self._database.execute(
                "insert or replace into sessions (account_id, device, state) values (?, ?, ?)",
                address.user,
                address.device,
                self._store.state_of(address),
            )
