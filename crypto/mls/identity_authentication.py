"""The authentication service (RFC 9420 section 5.3.1) that believes identity keys, and nobody's word about them."""

from crypto.mls.credentials import Credential
from crypto.mls.errors import InvalidCredential
from crypto.mls.identity_credential import IdentityCredential
from crypto.mls.known_devices import DeviceDirectory


class IdentityAuthentication:
    """Accepts a member only if the identity key known for its device vouches for its signature key.

    So what safety numbers and the transparency log say about identity keys holds for groups too: whoever wants to put
    a member of its own into a group has to show a wrong identity key first.
    """

    __slots__ = ("_directory",)

    def __init__(self, directory: DeviceDirectory) -> None:
        self._directory = directory

    def validate(self, credential: Credential, signature_key: bytes, now: int | None) -> None:
        statement = IdentityCredential.of(credential)
        known = self._directory.find(statement.user, statement.device)
        if known is None:
            raise InvalidCredential("the device is not known")
        if known.identity != statement.identity:
            raise InvalidCredential("the device is known under another identity key")
        if statement.generation < known.oldest:
            raise InvalidCredential("the device has given up this signature key")
        if now is not None and not statement.lifetime.contains(now):
            raise InvalidCredential("the identity credential is not valid at this time")
        statement.verify(signature_key)

    def is_successor(self, old: Credential, new: Credential) -> bool:
        """The same device under the same identity key, and no earlier generation."""
        before, after = IdentityCredential.of(old), IdentityCredential.of(new)
        return before.client == after.client and before.generation <= after.generation

    def same_client(self, one: Credential, other: Credential) -> bool:
        return IdentityCredential.of(one).client == IdentityCredential.of(other).client
