"""Franking: a report stands or falls with what was sent, and the server learns nothing before it."""

import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import DecodeError
from crypto.franking import DeliveryContext, FrankedMessage, FrankingInvalid, Report, delivery_tag
from crypto.randomness import SystemRandomness

RANDOM = SystemRandomness()
VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "franking" / "franking-1.json").read_text())
SERVER_KEY = bytes(range(32))
CONTEXT = DeliveryContext("conversation 7", "mallory", "ada", 1_700_000_000_000)


def delivered(content: bytes) -> tuple[bytes, bytes, bytes]:
    """What a receiver gets: the plaintext, and beside it the commitment and the server's tag."""
    message = FrankedMessage.frank(content, RANDOM)
    return message.encode(), message.commitment, delivery_tag(SERVER_KEY, message.commitment, CONTEXT)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, str | int]) -> None:
    def data(name: str) -> bytes:
        return bytes.fromhex(str(vector[name]))

    message = FrankedMessage(data("content"), data("opening"))
    ids = str(vector["conversation"]), str(vector["sender"]), str(vector["recipient"])
    context = DeliveryContext(*ids, int(vector["sent_at"]))
    assert message.encode() == data("plaintext")
    assert message.commitment == data("commitment")
    assert delivery_tag(data("server_key"), message.commitment, context) == data("tag")
    report = Report(context, message.commitment, data("tag"), message)
    assert report.encode() == data("report")
    assert Report.decode(data("report")).verify(data("server_key")) == message.content


def test_the_construction_is_the_documented_one() -> None:
    message = FrankedMessage(b"hello", bytes(32))
    assert message.commitment == hmac.digest(bytes(32), b"Entativa franking 1 commitment" + b"hello", "sha256")


def test_a_reported_message_is_believed() -> None:
    plaintext, commitment, tag = delivered(b"something vile")
    message = FrankedMessage.decode(plaintext, commitment)
    assert message.content == b"something vile"
    report = Report.decode(Report(CONTEXT, commitment, tag, message).encode())
    assert report.verify(SERVER_KEY) == b"something vile"


def test_nobody_is_framed_for_what_was_not_sent() -> None:
    plaintext, commitment, tag = delivered(b"something nice")
    report = Report(CONTEXT, commitment, tag, FrankedMessage.decode(plaintext, commitment))
    invented = FrankedMessage.frank(b"something vile", RANDOM)
    for forged in (
        replace(report, message=replace(report.message, content=b"something vile")),
        replace(report, message=invented),
        replace(report, message=invented, commitment=invented.commitment),
        replace(report, context=replace(CONTEXT, sender="eve")),
        replace(report, context=replace(CONTEXT, recipient="eve")),
        replace(report, context=replace(CONTEXT, conversation="conversation 8")),
        replace(report, context=replace(CONTEXT, sent_at=CONTEXT.sent_at + 1)),
        replace(report, tag=bytes(32)),
    ):
        with pytest.raises(FrankingInvalid):
            forged.verify(SERVER_KEY)
    with pytest.raises(FrankingInvalid):
        report.verify(bytes(32))


def test_the_parts_of_the_context_do_not_run_into_each_other() -> None:
    commitment = bytes(32)
    contexts = [DeliveryContext(*ids, 1) for ids in (("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"))]
    assert len({delivery_tag(SERVER_KEY, commitment, each) for each in contexts}) == 3


def test_a_message_that_could_not_be_reported_is_not_shown() -> None:
    """A sender that commits to something else wants to be read but not reported."""
    plaintext, commitment, _ = delivered(b"something vile")
    _, other_commitment, _ = delivered(b"something nice")
    with pytest.raises(FrankingInvalid):
        FrankedMessage.decode(plaintext, other_commitment)
    for index in range(len(plaintext)):
        altered = bytearray(plaintext)
        altered[index] ^= 1 << index % 8
        with pytest.raises((FrankingInvalid, DecodeError)):
            FrankedMessage.decode(bytes(altered), commitment)


def test_the_commitment_hides_the_message() -> None:
    assert len({delivered(b"yes")[1] for _ in range(5)}) == 5


@given(st.binary(max_size=200))
def test_any_bytes_are_typed_errors_or_valid(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        with pytest.raises((DecodeError, FrankingInvalid)):
            FrankedMessage.decode(candidate, bytes(32))
        try:
            report = Report.decode(candidate)
        except DecodeError:
            continue
        with pytest.raises(FrankingInvalid):
            report.verify(SERVER_KEY)


def test_content_and_opening_are_not_shown() -> None:
    plaintext, commitment, tag = delivered(b"something private")
    message = FrankedMessage.decode(plaintext, commitment)
    shown = repr(message) + repr(Report(CONTEXT, commitment, tag, message))
    assert "something private" not in shown
    assert repr(message.opening) not in shown
