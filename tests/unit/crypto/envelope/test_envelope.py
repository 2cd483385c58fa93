"""One envelope through both protocols, with attachments, a report, and what a malicious sender or server changes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.attachments import AttachmentPointer, open_attachment, seal_attachment
from crypto.envelope import Envelope, MessageContent, Protocol, open_content, seal
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.franking import DeliveryContext, FrankingInvalid, Report, delivery_tag
from crypto.handshake import PreKeyStore
from crypto.identity import IdentityKeyPair
from crypto.randomness import SeededRandomness, SystemRandomness
from crypto.sessions import DeviceAddress, SessionStore
from crypto.transparency import SignedTreeHead, TreeHead

RANDOM = SystemRandomness()
HEAD = SignedTreeHead.sign(TreeHead(1_000, 7, bytes(range(32))), bytes(32))
GOLDEN = Path(__file__).parents[3] / "vectors" / "envelope" / "envelope-1.json"
ALICE, BOB = DeviceAddress("alice", 1), DeviceAddress("bob", 1)


def stores() -> tuple[SessionStore, SessionStore]:
    identities = {address: IdentityKeyPair.generate(RANDOM) for address in (ALICE, BOB)}
    prekeys = {address: PreKeyStore(identity) for address, identity in identities.items()}
    alice, bob = (SessionStore(address, identities[address], prekeys[address]) for address in (ALICE, BOB))
    alice.update_roster("bob", {1: identities[BOB].public}, 0)
    bob.update_roster("alice", {1: identities[ALICE].public}, 0)
    prekeys[BOB].rotate(0, RANDOM)
    bundle, _ = prekeys[BOB].publish(*prekeys[BOB].replenish(1, RANDOM)).take_bundle()
    alice.start(BOB, bundle, RANDOM)
    return alice, bob


def test_a_message_with_an_attachment_travels_through_a_session_and_can_be_reported() -> None:
    alice, bob = stores()
    pointer, file = seal_attachment(b"a picture", RANDOM)
    sealed = seal(MessageContent(b"look", (pointer,), HEAD), RANDOM)
    sent = Envelope(Protocol.SESSION, sealed.commitment, alice.encrypt(BOB, sealed.plaintext, RANDOM)).encode()

    server_key, context = RANDOM.random_bytes(32), DeliveryContext("conversation", "alice", "bob", 5)
    seen_by_server = Envelope.decode(sent)
    tag = delivery_tag(server_key, seen_by_server.commitment, context)

    received = Envelope.decode(sent)
    assert received.protocol is Protocol.SESSION
    opened = open_content(bob.decrypt(ALICE, received.ciphertext), received.commitment)
    assert opened.content == MessageContent(b"look", (pointer,), HEAD)
    assert open_attachment(opened.content.attachments[0], file) == b"a picture"

    report = Report.decode(Report(context, received.commitment, tag, opened.franked).encode())
    assert MessageContent.decode(report.verify(server_key)) == opened.content


def test_messages_of_similar_size_look_the_same() -> None:
    pointer, _ = seal_attachment(b"", RANDOM)
    contents = (
        MessageContent(b""),
        MessageContent(bytes(300)),
        MessageContent(b"x", (pointer,)),
        MessageContent(b"x", log_head=HEAD),
    )
    assert {len(seal(content, RANDOM).plaintext) for content in contents} == {512}
    assert len(seal(MessageContent(bytes(65_536)), RANDOM).plaintext) < 65_536 * 1.12


def test_one_commitment_serves_all_receivers_of_a_message_and_no_two_messages() -> None:
    content = MessageContent(b"the same words")
    assert seal(content, RANDOM).commitment != seal(content, RANDOM).commitment


def test_a_commitment_that_was_exchanged_is_noticed() -> None:
    one, other = seal(MessageContent(b"kind"), RANDOM), seal(MessageContent(b"unkind"), RANDOM)
    with pytest.raises(FrankingInvalid):
        open_content(one.plaintext, other.commitment)


@settings(deadline=None)
@given(st.data())
def test_a_sender_cannot_hide_anything_in_the_padding_or_send_a_second_encoding(data: st.DataObject) -> None:
    sealed = seal(MessageContent(b"body"), RANDOM)
    end = 5 + int.from_bytes(sealed.plaintext[1:5], "big")
    altered = bytearray(sealed.plaintext)
    altered[data.draw(st.integers(end, len(altered) - 1))] = data.draw(st.integers(1, 255))
    for plaintext in (bytes(altered), sealed.plaintext[:-1], sealed.plaintext + b"\x00", sealed.plaintext[:end]):
        with pytest.raises(DecodeError):
            open_content(plaintext, sealed.commitment)


def test_every_altered_byte_before_the_padding_is_refused() -> None:
    sealed = seal(MessageContent(b"body", log_head=HEAD), RANDOM)
    end = 5 + int.from_bytes(sealed.plaintext[1:5], "big")
    for index in range(end):
        altered = bytearray(sealed.plaintext)
        altered[index] ^= 1 << index % 8
        with pytest.raises((DecodeError, FrankingInvalid, UnsupportedStateVersion)):
            open_content(bytes(altered), sealed.commitment)


def test_a_newer_version_asks_for_an_update_at_every_level() -> None:
    sealed = seal(MessageContent(b"body"), RANDOM)
    with pytest.raises(UnsupportedStateVersion):
        open_content(b"\x02" + sealed.plaintext[1:], sealed.commitment)
    with pytest.raises(UnsupportedStateVersion):
        MessageContent.decode(b"\x02" + MessageContent(b"body").encode()[1:])
    envelope = Envelope(Protocol.GROUP, sealed.commitment, b"ciphertext").encode()
    with pytest.raises(UnsupportedStateVersion):
        Envelope.decode(b"\x02" + envelope[1:])
    with pytest.raises(DecodeError, match="protocol"):
        Envelope.decode(b"\x01\x03" + envelope[2:])
    with pytest.raises(DecodeError):
        Envelope.decode(envelope[:33])


def test_what_is_too_large_is_not_written() -> None:
    pointer = AttachmentPointer(bytes(32), 1, bytes(32))
    MessageContent(bytes(65_536), (pointer,) * 64)
    with pytest.raises(ValueError, match="64 KiB"):
        MessageContent(bytes(65_537))
    with pytest.raises(ValueError, match="64 attachments"):
        MessageContent(b"", (pointer,) * 65)


def scene() -> dict[str, str]:
    pointer = AttachmentPointer(bytes(range(32)), 600, bytes(range(32, 64)))
    sealed = seal(MessageContent(b"golden", (pointer,), HEAD), SeededRandomness(b"envelope vectors"))
    envelope = Envelope(Protocol.GROUP, sealed.commitment, b"ciphertext")
    return {"plaintext": sealed.plaintext.hex(), "envelope": envelope.encode().hex()}


def test_the_golden_envelope_of_version_1_is_still_written_and_read() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert scene() == golden
    envelope = Envelope.decode(bytes.fromhex(golden["envelope"]))
    opened = open_content(bytes.fromhex(golden["plaintext"]), envelope.commitment)
    assert opened.content.body == b"golden"
    assert opened.content.log_head == HEAD
    assert replace(opened.content, log_head=None).attachments[0].size == 600


def test_content_is_not_shown() -> None:
    sealed = seal(MessageContent(b"private words"), RANDOM)
    opened = open_content(sealed.plaintext, sealed.commitment)
    assert "private" not in repr(sealed) + repr(opened)
