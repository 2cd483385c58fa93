"""Fields of fixed size are refused at any other size, wherever they come from: encodings join them without lengths."""

from collections.abc import Callable

import pytest

from crypto import wire
from crypto.attachments import AttachmentPointer
from crypto.errors import DecodeError
from crypto.franking import DeliveryContext, FrankedMessage, Report, delivery_tag
from crypto.handshake import InitialHeader, KemPreKey, OneTimePreKey, SignedPreKey
from crypto.handshake.initial_header import HandshakeVersion
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.ratchet import DoubleRatchet
from crypto.sessions.device_record import Session
from crypto.transparency import SignedTreeHead, TreeHead

IDENTITY = IdentityKeyPair(bytes(range(32))).public
CONTEXT = DeliveryContext("conversation", "sender", "recipient", 1)
FRANKED = FrankedMessage(b"content", bytes(32))

# Each structure with one field of the given length; the second number is the length it must have.
STRUCTURES: dict[str, tuple[Callable[[int], object], int]] = {
    "IdentityKey.public": (lambda n: IdentityKey(bytes(n)), 32),
    "TreeHead.root": (lambda n: TreeHead(1, 1, bytes(n)), 32),
    "SignedTreeHead.signature": (lambda n: SignedTreeHead(TreeHead(1, 1, bytes(32)), bytes(n)), 64),
    "AttachmentPointer.key": (lambda n: AttachmentPointer(bytes(n), 1, bytes(32)), 32),
    "AttachmentPointer.digest": (lambda n: AttachmentPointer(bytes(32), 1, bytes(n)), 32),
    "FrankedMessage.opening": (lambda n: FrankedMessage(b"content", bytes(n)), 32),
    "Report.commitment": (lambda n: Report(CONTEXT, bytes(n), bytes(32), FRANKED), 32),
    "Report.tag": (lambda n: Report(CONTEXT, bytes(32), bytes(n), FRANKED), 32),
    "delivery_tag, commitment": (lambda n: delivery_tag(bytes(32), bytes(n), CONTEXT), 32),
    "delivery_tag, server key": (lambda n: delivery_tag(bytes(n), bytes(32), CONTEXT), 32),
    "SignedPreKey.public": (lambda n: SignedPreKey(1, bytes(n), bytes(64)), 32),
    "SignedPreKey.signature": (lambda n: SignedPreKey(1, bytes(32), bytes(n)), 64),
    "OneTimePreKey.public": (lambda n: OneTimePreKey(1, bytes(n)), 32),
    "KemPreKey.public": (lambda n: KemPreKey(1, bytes(n), bytes(64), False), 1184),
    "KemPreKey.signature": (lambda n: KemPreKey(1, bytes(1184), bytes(n), False), 64),
    "InitialHeader.ephemeral": (
        lambda n: InitialHeader(HandshakeVersion.HYBRID, IDENTITY, bytes(n), 1, None, 1, bytes(1088)),
        32,
    ),
    "InitialHeader.kem_ciphertext": (
        lambda n: InitialHeader(HandshakeVersion.HYBRID, IDENTITY, bytes(32), 1, None, 1, bytes(n)),
        1088,
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_only_the_one_length_is_taken(name: str) -> None:
    build, length = STRUCTURES[name]
    build(length)
    for other in (0, length - 1, length + 1, 2 * length):
        with pytest.raises(DecodeError, match=f"{length} bytes"):
            build(other)


@pytest.mark.parametrize("length", [1, 31, 33])
def test_a_session_that_was_beaten_names_a_whole_id(length: int) -> None:
    ratchet = DoubleRatchet.respond(bytes(32), bytes(range(32)), b"")
    stored = Session(bytes(32), ratchet, False, 0, beaten_by=bytes(length)).encode()
    with pytest.raises(DecodeError):
        Session.read(wire.Reader(stored, "session"))
