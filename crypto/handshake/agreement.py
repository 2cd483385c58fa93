"""The key agreement: X3DH (revision 1, §3.3 and §3.4), or PQXDH with ML-KEM-768 (revision 3, §3.3 and §3.4)."""

import hashlib
from dataclasses import dataclass, field

from crypto import curve25519
from crypto.errors import DecodeError
from crypto.handshake import kem, x3dh
from crypto.handshake.errors import ClassicalOnly, InvalidBundle
from crypto.handshake.initial_header import HandshakeVersion, InitialHeader
from crypto.handshake.prekey_store import PreKeyStore
from crypto.handshake.prekeys import PreKeyBundle
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import Randomness

INFO = {
    HandshakeVersion.X3DH: b"Entativa_CURVE25519_SHA-256",
    HandshakeVersion.HYBRID: b"Entativa_CURVE25519_SHA-256_ML-KEM-768",
    HandshakeVersion.HYBRID_REKEYING: b"Entativa_CURVE25519_SHA-256_ML-KEM-768_2",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides now share.

    ``shared_secret``: SK, 32 bytes, for ``DoubleRatchet``. ``associated_data``: EncodeEC(initiator) ||
    EncodeEC(responder), for HYBRID also the SHA-256 of the KEM key, then the application's context.
    ``ratchet_key``: the signed prekey, the responder's first ratchet key: its public half for the initiator,
    its private half for the responder; 32 bytes.
    """

    header: InitialHeader
    shared_secret: bytes = field(repr=False)
    associated_data: bytes
    ratchet_key: bytes = field(repr=False)


def _associated_data(initiator: IdentityKey, responder: IdentityKey, kem_public: bytes | None, context: bytes) -> bytes:
    bound = b"" if kem_public is None else hashlib.sha256(kem.encode_public(kem_public)).digest()
    return initiator.encode() + responder.encode() + bound + context


def initiate(
    identity: IdentityKeyPair,
    bundle: PreKeyBundle,
    randomness: Randomness,
    *,
    context: bytes = b"",
    accept_classical: bool = False,
    hybrid: HandshakeVersion = HandshakeVersion.HYBRID,
) -> Agreement:
    """Agree with the owner of ``bundle``, which may be offline. The header travels with the first message.

    ``context``: application bytes that both sides must know, bound into the associated data.
    ``hybrid``: which hybrid version, where the bundle has a KEM key.
    Raises ``InvalidBundle``; ``ClassicalOnly`` for a bundle without KEM key unless ``accept_classical``.
    """
    bundle.verify()
    if bundle.kem is None and not accept_classical:
        raise ClassicalOnly("the bundle has no post-quantum prekey")
    version = HandshakeVersion.X3DH if bundle.kem is None else hybrid
    ephemeral = randomness.random_bytes(curve25519.KEY_LENGTH)
    one_time = bundle.one_time
    try:
        secrets = x3dh.initiator_secrets(
            identity,
            ephemeral,
            bundle.identity,
            bundle.signed.public,
            None if one_time is None else one_time.public,
        )
        ciphertext = None
        if bundle.kem is not None:
            encapsulated, ciphertext = kem.encapsulate(bundle.kem.public)
            secrets += encapsulated
    except (curve25519.InvalidPublicKey, DecodeError) as error:
        raise InvalidBundle(str(error)) from None
    header = InitialHeader(
        version,
        identity.public,
        curve25519.public_key(ephemeral),
        bundle.signed.id,
        None if one_time is None else one_time.id,
        None if bundle.kem is None else bundle.kem.id,
        ciphertext,
    )
    kem_public = None if bundle.kem is None else bundle.kem.public
    return Agreement(
        header,
        x3dh.derive(secrets, INFO[version]),
        _associated_data(identity.public, bundle.identity, kem_public, context),
        bundle.signed.public,
    )


def respond(
    identity: IdentityKeyPair,
    prekeys: PreKeyStore,
    header: InitialHeader,
    *,
    context: bytes = b"",
    accept_classical: bool = False,
) -> Agreement:
    """Agree with the sender of ``header``. Changes nothing: call ``prekeys.consume`` once a message decrypts.

    Raises ``UnknownPreKey``, ``ReplayedHandshake``, ``ClassicalOnly``, or ``InvalidBundle`` for unusable keys.
    """
    if header.version is HandshakeVersion.X3DH and not accept_classical:
        raise ClassicalOnly("the initiator used no post-quantum prekey")
    private = prekeys.find(header)
    kem_public = None
    try:
        secrets = x3dh.responder_secrets(identity, private.signed, private.one_time, header.identity, header.ephemeral)
        if private.kem_seed is not None and header.kem_ciphertext is not None:
            secrets += kem.decapsulate(private.kem_seed, header.kem_ciphertext)
            kem_public = kem.public_key(private.kem_seed)
    except (curve25519.InvalidPublicKey, DecodeError) as error:
        raise InvalidBundle(str(error)) from None
    return Agreement(
        header,
        x3dh.derive(secrets, INFO[header.version]),
        _associated_data(header.identity, identity.public, kem_public, context),
        private.signed,
    )
