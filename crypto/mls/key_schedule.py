"""The key schedule (RFC 9420 section 8)."""

from dataclasses import dataclass, fields

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque
from crypto.mls.group_context import GroupContext

EXTERNAL_INIT_CONTEXT = b"MLS 1.0 external init secret"
"""Exporter context of the init secret of an external commit (section 8.3)."""


@dataclass(frozen=True, slots=True, repr=False)
class JoinerSecrets:
    """What leads to an epoch: the joiner secret, and what follows from it and the PSKs. All Nh bytes."""

    joiner: bytes
    member: bytes
    welcome: bytes

    @classmethod
    def from_joiner(cls, crypto: SuiteCrypto, joiner: bytes, psk_secret: bytes) -> "JoinerSecrets":
        member = crypto.extract(joiner, psk_secret)
        return cls(joiner, member, crypto.derive_secret(member, "welcome"))

    @classmethod
    def from_commit(
        cls,
        crypto: SuiteCrypto,
        init_secret: bytes,
        commit_secret: bytes,
        psk_secret: bytes,
        context: GroupContext,
    ) -> "JoinerSecrets":
        pre_joiner = crypto.extract(init_secret, commit_secret)
        joiner = crypto.expand_with_label(pre_joiner, "joiner", context.encoded, crypto.hash_size)
        return cls.from_joiner(crypto, joiner, psk_secret)

    def welcome_key(self, crypto: SuiteCrypto) -> tuple[bytes, bytes]:
        """Key and nonce that protect the GroupInfo in a Welcome (section 12.4.3.1)."""
        return (
            crypto.expand_with_label(self.welcome, "key", b"", crypto.key_size),
            crypto.expand_with_label(self.welcome, "nonce", b"", crypto.nonce_size),
        )

    def epoch(self, crypto: SuiteCrypto, context: GroupContext) -> "EpochSecrets":
        epoch = crypto.expand_with_label(self.member, "epoch", context.encoded, crypto.hash_size)
        return EpochSecrets.derive(crypto, epoch)


@dataclass(frozen=True, slots=True, repr=False)
class EpochSecrets:
    """The secrets of one epoch, Nh bytes each (section 8, table 4).

    The encryption secret is not among them: it goes into the secret tree and is forgotten as that is used.
    """

    init: bytes
    sender_data: bytes
    exporter: bytes
    external: bytes
    confirmation_key: bytes
    membership_key: bytes
    resumption_psk: bytes
    epoch_authenticator: bytes
    encryption: bytes

    @classmethod
    def derive(cls, crypto: SuiteCrypto, epoch_secret: bytes) -> "EpochSecrets":
        return cls(
            init=crypto.derive_secret(epoch_secret, "init"),
            sender_data=crypto.derive_secret(epoch_secret, "sender data"),
            exporter=crypto.derive_secret(epoch_secret, "exporter"),
            external=crypto.derive_secret(epoch_secret, "external"),
            confirmation_key=crypto.derive_secret(epoch_secret, "confirm"),
            membership_key=crypto.derive_secret(epoch_secret, "membership"),
            resumption_psk=crypto.derive_secret(epoch_secret, "resumption"),
            epoch_authenticator=crypto.derive_secret(epoch_secret, "authentication"),
            encryption=crypto.derive_secret(epoch_secret, "encryption"),
        )

    def settled(self) -> "EpochSecrets":
        """Without the two that have done their work once the epoch stands: confirmation key and encryption secret."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return EpochSecrets(**{**values, "confirmation_key": b"", "encryption": b""})

    def external_key_pair(self, crypto: SuiteCrypto) -> tuple[bytes, bytes]:
        """(private, public) key to which an external joiner encapsulates its init secret."""
        return crypto.kem.derive_key_pair(self.external)

    def export(self, crypto: SuiteCrypto, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (section 8.5); ``length`` in bytes."""
        secret = crypto.derive_secret(self.exporter, label)
        return crypto.expand_with_label(secret, "exported", crypto.hash(context), length)

    def encode(self) -> bytes:
        """For stored state."""
        return b"".join(opaque(getattr(self, field.name)) for field in fields(self))

    @classmethod
    def decode(cls, reader: Reader, hash_size: int) -> "EpochSecrets":
        """What :meth:`encode` wrote; a secret that was deleted is empty."""
        return cls(*(reader.fixed(0, hash_size) for _ in fields(cls)))
