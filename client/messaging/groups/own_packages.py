"""What this device shows of itself in groups: its signature key, the credential with which its identity key vouches for
that one, and KeyPackages by which others add it.
"""

from collections.abc import Iterator

from client.messaging.device import Device
from client.messaging.groups.requests import CountKeyPackages, KeyPackagesLeft, UploadKeyPackages
from client.messaging.values import Values
from client.storage import Database
from crypto.mls import (
    DEFAULT_SUITE,
    BasicCredential,
    Credential,
    Group,
    GroupPolicy,
    IdentityCredential,
    KeyPackageBundle,
    KeyPackageStore,
    Lifetime,
    SignatureKeyPair,
)
from crypto.randomness import Randomness

_DAY = 86_400
_RENEW_S = 30 * _DAY
"""How old the credential and the last resort become."""
_LIFETIME_S = 90 * _DAY
_CLOCK_S = _DAY
"""How much the clocks of others may be behind."""
_KEEP_S = 45 * _DAY
"""How long an expired KeyPackage can still be used: a Welcome waits for 30 days."""


class OwnPackages:
    """Callers hold the transaction. Times are seconds since 1970.

    KeyPackages are uploaded once: of an upload whose answer was lost nobody knows which of them were given away
    already, so others take their place.
    """

    def __init__(self, database: Database, device: Device, randomness: Randomness, wanted: int) -> None:
        """`wanted`: how many of them the server should have."""
        self._values = Values(database)
        self._device = device
        self._randomness = randomness
        self._wanted = wanted
        self._counted = False
        self._upload: tuple[bytes, ...] = ()

    def low(self) -> None:
        """The server has few left, or a signal that says so may have been missed."""
        self._counted = False

    def requests(self) -> Iterator[UploadKeyPackages | CountKeyPackages]:
        """What is to be asked now."""
        if self._upload:
            yield UploadKeyPackages(self._upload)
        elif not self._counted:
            yield CountKeyPackages()

    def left(self, left: KeyPackagesLeft, now: int) -> None:
        """The server has said how many there are."""
        self._counted, self._upload = True, ()
        made_at = int(self._values.get("last_resort_at") or b"0")
        last_resort = not left.last_resort or now - made_at > _RENEW_S
        missing = self._wanted - left.one_time if left.one_time * 2 <= self._wanted else 0
        if not last_resort and missing <= 0:
            return
        store = self._store()
        store.expire(now, _KEEP_S)
        signer, credential = self.signer(), self.credential(now)
        made = [self._bundle(signer, credential, now, last_resort=False) for _ in range(missing)]
        if last_resort:
            made.append(self._bundle(signer, credential, now, last_resort=True))
            self._values.put("last_resort_at", str(now).encode())
        self._upload = tuple(store.add(each) for each in made)
        self._values.put("key_packages", store.serialize())

    def failed(self) -> None:
        """There was no answer to an upload."""
        self._counted, self._upload = False, ()

    def join(self, welcome: bytes, tree: bytes, policy: GroupPolicy, now: int) -> Group:
        """Enters a group; the KeyPackage is then used. Raises CryptoError."""
        store = self._store()
        group = store.join(welcome, self._randomness, now=now, policy=policy, ratchet_tree=tree)
        self._values.put("key_packages", store.serialize())
        return group

    def signer(self) -> SignatureKeyPair:
        """The signature key of this device."""
        stored = self._values.get("mls_signer")
        if stored is not None:
            return SignatureKeyPair.from_private(DEFAULT_SUITE, stored)
        signer = SignatureKeyPair.generate(DEFAULT_SUITE, self._randomness)
        self._values.put("mls_signer", signer.private_key)
        return signer

    def credential(self, now: int) -> Credential:
        """The statement of the identity key, renewed in time."""
        stored = self._values.get("mls_credential")
        if stored is not None:
            credential = BasicCredential(stored)
            if now < IdentityCredential.of(credential).lifetime.not_before + _CLOCK_S + _RENEW_S:
                return credential
        address = self._device.address
        statement = IdentityCredential.issue(
            self._device.identity,
            address.user,
            address.device,
            self.signer().public_key,
            self.lifetime(now),
            self._randomness,
        )
        credential = statement.credential()
        self._values.put("mls_credential", credential.identity)
        return credential

    @staticmethod
    def lifetime(now: int) -> Lifetime:
        """Of what begins now."""
        return Lifetime(now - _CLOCK_S, now + _LIFETIME_S)

    def _bundle(
        self, signer: SignatureKeyPair, credential: Credential, now: int, *, last_resort: bool
    ) -> KeyPackageBundle:
        return KeyPackageBundle.generate(
            DEFAULT_SUITE, credential, signer, self.lifetime(now), self._randomness, last_resort=last_resort
        )

    def _store(self) -> KeyPackageStore:
        stored = self._values.get("key_packages")
        return KeyPackageStore() if stored is None else KeyPackageStore.restore(stored)
