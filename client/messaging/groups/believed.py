"""Whose keys a group's members may have: those that the key directory has shown (RFC 9420 section 5.3.1)."""

from collections.abc import Collection, Iterable

from client.messaging.device import Device
from client.messaging.directory import Directory
from client.storage import Database
from crypto.identity import IdentityKey
from crypto.mls import (
    DEFAULT_SUITE,
    Credential,
    GroupPolicy,
    IdentityAuthentication,
    IdentityCredential,
    InvalidCredential,
    KnownDevice,
    RoleAuthorization,
)
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.messages import decode_message
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.welcome import GroupInfo
from crypto.sessions import DeviceAddress

MAX_WIDTH = 1 << 13
"""Leaves of a tree."""


class ShownDevices:
    """A crypto.mls.DeviceDirectory: every device that the directory has ever shown here as one of its account, since
    what a device did before it was removed is still to be followed."""

    def __init__(self, database: Database, directory: Directory, own: Device) -> None:
        self._database = database
        self._directory = directory
        self._own, self._identity = own.address, own.identity.public

    def find(self, user: str, device: int) -> KnownDevice | None:
        if (user, device) == self._own:
            return KnownDevice(self._identity)
        rows = self._database.rows(
            "select identity from shown_devices where account_id = ? and device = ?", user, device
        )
        if rows:
            return KnownDevice(IdentityKey.decode(rows[0][0]))
        present = self._directory.devices(user).get(device)
        return None if present is None else KnownDevice(present)

    def unknown(self, addresses: Iterable[DeviceAddress]) -> set[str]:
        """The accounts of the devices among these that the directory has never shown here."""
        return {each.user for each in set(addresses) if self.find(*each) is None}


class JoiningAuthentication(IdentityAuthentication):
    """For who joins by itself: also accepts leaves of devices that the directory does not show, since a device that its
    account has removed stays in the tree until a member removes it. Callers have to check that the GroupInfo was signed
    by a device that it does show: that one has verified the others when they came in."""

    __slots__ = ("_accounts", "_shown")

    def __init__(self, shown: ShownDevices, accounts: Collection[str]) -> None:
        """`accounts`: whose devices may be among those that the directory does not show."""
        super().__init__(shown)
        self._shown = shown
        self._accounts = accounts

    def validate(self, credential: Credential, signature_key: bytes, now: int | None) -> None:
        statement = IdentityCredential.of(credential)
        if self._shown.find(statement.user, statement.device) is None:
            if statement.user not in self._accounts:
                raise InvalidCredential("a device that the directory does not show, of an account that is not known")
            statement.verify(signature_key)
        else:
            super().validate(credential, signature_key, now)


def group_policy(authentication: IdentityAuthentication) -> GroupPolicy:
    """The rules of all members: those of the server (features/groups/checking.py), but for lifetimes, since this device
    may have been away, and for messages of epochs that are over."""
    return GroupPolicy(
        authentication=authentication,
        authorization=RoleAuthorization(),
        suites=frozenset({DEFAULT_SUITE}),
        allow_external_commits=True,
        allow_resync=True,
        past_epochs=0,  # what comes is processed in the order of epochs
    )


def address_of(credential: Credential) -> DeviceAddress:
    """The device that a credential names. Raises InvalidCredential."""
    statement = IdentityCredential.of(credential)
    return DeviceAddress(statement.user, statement.device)


def addresses_of(credentials: Iterable[Credential]) -> set[DeviceAddress]:
    """The devices that credentials name, without credentials of other kinds: those are refused later."""
    found = set()
    for each in credentials:
        try:
            found.add(address_of(each))
        except InvalidCredential:
            continue
    return found


def leaves_in(tree: bytes) -> dict[DeviceAddress, int]:
    """The leaf of each device in an encoded tree. Nothing of it is verified. Raises CryptoError."""
    decoded = RatchetTree.decode(suite_crypto(DEFAULT_SUITE), tree, MAX_WIDTH)
    return {address_of(leaf.credential): number for number, leaf in decoded.leaves()}


def signer_of(group_info: bytes, tree: bytes) -> DeviceAddress | None:
    """The device that claims to have signed a GroupInfo: who joins by it verifies the signature. Raises CryptoError."""
    info = decode_message(group_info)
    if not isinstance(info, GroupInfo):
        return None
    return next((address for address, leaf in leaves_in(tree).items() if leaf == info.signer), None)
