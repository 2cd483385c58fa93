"""A device's private KeyPackages, each used once, and what the server keeps of them (RFC 9420 sections 10 and 16.8).

A KeyPackage whose init key is used twice loses forward secrecy for the first group, so a device deletes it with the
Welcome that used it. When the server has run out of them, it hands out the one that is marked as the last resort, again
and again, until the device uploads more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque, optional, vector
from crypto.mls.errors import InvalidInput, InvalidWelcome, KeyPackageUsed
from crypto.mls.group import Group
from crypto.mls.key_package import KeyPackage, KeyPackageBundle
from crypto.mls.messages import decode_message
from crypto.mls.policy import GroupPolicy
from crypto.mls.psk import Psks
from crypto.mls.state import read_header, with_header
from crypto.mls.welcome import Welcome
from crypto.randomness import Randomness

_MAGIC = b"MLS key packages\x00"
_MAX_REMEMBERED = 10_000
_NO_PSKS = Psks()


class KeyPackageStore:
    """The bundles of one device, by reference. Times are seconds since the Unix epoch."""

    __slots__ = ("_answered", "_bundles")

    def __init__(self) -> None:
        self._bundles: dict[bytes, KeyPackageBundle] = {}
        self._answered: dict[bytes, None] = {}  # Welcomes that used a last resort, the oldest first

    def __repr__(self) -> str:
        return f"KeyPackageStore({len(self._bundles)} KeyPackages)"

    def __len__(self) -> int:
        """How many KeyPackages can be used, last resorts included."""
        return len(self._bundles)

    def add(self, bundle: KeyPackageBundle) -> bytes:
        """Keep a bundle, and return its KeyPackage as an MLSMessage, to publish."""
        self._bundles[bundle.reference()] = bundle
        return bundle.message()

    def join(
        self,
        welcome: bytes,
        randomness: Randomness,
        *,
        now: int,
        policy: GroupPolicy,
        ratchet_tree: bytes | None = None,
        psks: Psks = _NO_PSKS,
        previous: Group | None = None,
    ) -> Group:
        """Join as :meth:`Group.join` does, with the KeyPackage that the Welcome is for; it is then gone.

        Raises KeyPackageUsed for a Welcome whose KeyPackage is gone or was never here, and for one that used a last
        resort before; and whatever ``Group.join`` raises, in which case nothing is used.
        """
        message = decode_message(welcome)
        if not isinstance(message, Welcome):
            raise InvalidWelcome("not a Welcome")
        named = (entry.new_member for entry in message.secrets)
        reference = next((each for each in named if each in self._bundles), None)
        if reference is None:
            raise KeyPackageUsed("the Welcome is for no KeyPackage that can still be used")
        bundle = self._bundles[reference]
        digest = suite_crypto(bundle.signer.suite).hash(message.encrypted_group_info)
        if digest in self._answered:
            raise KeyPackageUsed("the group was joined with this Welcome before")
        group = Group.join(
            welcome,
            bundle,
            randomness,
            now=now,
            policy=policy,
            ratchet_tree=ratchet_tree,
            psks=psks,
            previous=previous,
        )
        if not bundle.key_package.is_last_resort:
            del self._bundles[reference]
        else:
            self._answered[digest] = None
            for oldest in list(self._answered)[:-_MAX_REMEMBERED]:
                del self._answered[oldest]
        return group

    def expire(self, now: int, keep_for: int) -> None:
        """Delete KeyPackages whose lifetime ended more than ``keep_for`` seconds ago: Welcomes may be on their way."""
        self._bundles = {
            reference: bundle
            for reference, bundle in self._bundles.items()
            if (life := bundle.key_package.leaf_node.lifetime) is None or life.not_after + keep_for >= now
        }

    def serialize(self) -> bytes:
        """Everything, private keys included: to be stored encrypted after every change."""
        bundles = vector(opaque(bundle.serialize()) for bundle in self._bundles.values())
        return with_header(_MAGIC, bundles + vector(map(opaque, self._answered)))

    @classmethod
    def restore(cls, data: bytes) -> "KeyPackageStore":
        """What :meth:`serialize` wrote. Raises DecodeError or UnsupportedStateVersion."""

        def read(reader: Reader) -> "KeyPackageStore":
            read_header(reader, _MAGIC, "MLS KeyPackage store")
            store = cls()
            for bundle in reader.vector(lambda item: KeyPackageBundle.restore(item.opaque())):
                store._bundles[bundle.reference()] = bundle
            store._answered = dict.fromkeys(reader.vector(Reader.opaque))
            return store

        return decode_exactly(data, read)


@dataclass(frozen=True, slots=True)
class PublishedKeyPackages:
    """What the server keeps for one device: KeyPackages as MLSMessages, to be handed out once each.

    ``last_resort`` is handed out when there are no others, and stays.
    """

    single_use: tuple[bytes, ...] = ()
    last_resort: bytes | None = None

    @classmethod
    def of(cls, messages: Iterable[bytes]) -> "PublishedKeyPackages":
        """Sorted by their mark. Raises InvalidInput for two last resorts, DecodeError for what is no KeyPackage.

        Nothing else is verified: see ``check_key_package``.
        """
        single_use: list[bytes] = []
        last_resorts: list[bytes] = []
        for message in dict.fromkeys(messages):
            marked = KeyPackage.from_message(message).is_last_resort
            (last_resorts if marked else single_use).append(message)
        if len(last_resorts) > 1:
            raise InvalidInput("more than one KeyPackage of last resort")
        return cls(tuple(single_use), last_resorts[0] if last_resorts else None)

    def add(self, messages: Iterable[bytes]) -> "PublishedKeyPackages":
        """With more of them; a new last resort takes the place of the old one. Raises as :meth:`of` does."""
        new = self.of(messages)
        fresh = (message for message in new.single_use if message not in self.single_use)
        return PublishedKeyPackages((*self.single_use, *fresh), new.last_resort or self.last_resort)

    def take(self) -> tuple[bytes, "PublishedKeyPackages"]:
        """One KeyPackage, and what is left: store that before handing it out. Raises InvalidInput if there is none."""
        if self.single_use:
            return self.single_use[0], PublishedKeyPackages(self.single_use[1:], self.last_resort)
        if self.last_resort is None:
            raise InvalidInput("the device has no KeyPackages left")
        return self.last_resort, self

    def encode(self) -> bytes:
        last = None if self.last_resort is None else opaque(self.last_resort)
        return vector(map(opaque, self.single_use)) + optional(last)

    @classmethod
    def decode(cls, data: bytes) -> "PublishedKeyPackages":
        """The inverse of :meth:`encode`; raises DecodeError, also for a KeyPackage in the wrong place."""
        single_use, last = decode_exactly(
            data, lambda reader: (reader.vector(Reader.opaque), reader.optional(Reader.opaque))
        )
        marks = [KeyPackage.from_message(message).is_last_resort for message in single_use]
        if any(marks) or (last is not None and not KeyPackage.from_message(last).is_last_resort):
            raise DecodeError("a KeyPackage is not marked as it is kept")
        return cls(single_use, last)
