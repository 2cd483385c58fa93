"""Hostile input: every bit of a message, its ends, and bytes from nowhere."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve25519
from crypto.randomness import SystemRandomness
from crypto.ratchet import (
    DoubleRatchet,
    MessageRejected,
    PlainHeaderFormat,
    RatchetParameters,
    Rejection,
)

RANDOM = SystemRandomness()
HIDDEN = RatchetParameters()
PLAIN = RatchetParameters(message_format=PlainHeaderFormat())


def pair(parameters: RatchetParameters) -> tuple[DoubleRatchet, DoubleRatchet]:
    secret, prekey = os.urandom(32), os.urandom(32)
    return (
        DoubleRatchet.initiate(secret, curve25519.public_key(prekey), b"ad", RANDOM, parameters),
        DoubleRatchet.respond(secret, prekey, b"ad", parameters),
    )


def established(parameters: RatchetParameters) -> tuple[DoubleRatchet, DoubleRatchet, list[bytes]]:
    """Two that have talked, and messages to the second: overtaken, in a chain it knows, in a new chain."""
    alice, bob = pair(parameters)
    bob.decrypt(alice.encrypt(b"one", RANDOM))
    overtaken = alice.encrypt(b"overtaken", RANDOM)
    bob.decrypt(alice.encrypt(b"three", RANDOM))
    in_chain = alice.encrypt(b"in the chain", RANDOM)
    alice.decrypt(bob.encrypt(b"answer", RANDOM))
    return alice, bob, [overtaken, in_chain, alice.encrypt(b"in a new chain", RANDOM)]


def assert_refused(ratchet: DoubleRatchet, message: bytes) -> Rejection:
    before = ratchet.serialize()
    with pytest.raises(MessageRejected) as refused:
        ratchet.decrypt(message)
    assert ratchet.serialize() == before
    return refused.value.reason


@pytest.mark.parametrize("parameters", [HIDDEN, PLAIN], ids=["hidden", "plain"])
def test_a_flipped_bit_in_any_byte_is_refused_and_the_original_still_read(
    parameters: RatchetParameters,
) -> None:
    _, bob, messages = established(parameters)
    for message in messages:
        for index in range(len(message)):
            for bit in (index % 8, 7 - index % 8):
                altered = bytearray(message)
                altered[index] ^= 1 << bit
                assert_refused(bob, bytes(altered))
    plaintexts = [bob.decrypt(message) for message in messages]
    assert plaintexts == [b"overtaken", b"in the chain", b"in a new chain"]


@pytest.mark.parametrize("parameters", [HIDDEN, PLAIN], ids=["hidden", "plain"])
def test_a_cut_or_extended_message_is_refused(parameters: RatchetParameters) -> None:
    _, bob, messages = established(parameters)
    for message in messages:
        for length in range(len(message)):
            assert_refused(bob, message[:length])
        assert_refused(bob, message + b"\x00")
        assert_refused(bob, b"\x00" + message)
        assert_refused(bob, message * 2)


def test_an_oversized_message_is_refused_without_being_read() -> None:
    _, bob, messages = established(HIDDEN)
    assert assert_refused(bob, messages[0] + bytes(1 << 26)) is Rejection.MALFORMED


@pytest.mark.parametrize("parameters", [HIDDEN, PLAIN], ids=["hidden", "plain"])
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_bytes_from_nowhere_are_refused(parameters: RatchetParameters, data: bytes) -> None:
    _, bob, _ = established(parameters)
    assert_refused(bob, data)
    assert_refused(bob, b"\x01" + data)
    assert_refused(bob, b"\x02" + data)


def test_parts_of_two_messages_do_not_make_a_third() -> None:
    alice, bob = pair(HIDDEN)
    first, second = alice.encrypt(b"pay 10", RANDOM), alice.encrypt(b"pay 99", RANDOM)
    for cut in (13, 69):
        assert_refused(bob, first[:cut] + second[cut:])
        assert_refused(bob, second[:cut] + first[cut:])


def test_a_message_of_another_session_is_refused() -> None:
    _, bob = pair(HIDDEN)
    mallory, _ = pair(HIDDEN)
    assert assert_refused(bob, mallory.encrypt(b"hello", RANDOM)) is Rejection.UNAUTHENTIC


def test_a_ratchet_key_of_small_order_is_refused() -> None:
    _, bob, messages = established(PLAIN)
    for small in (bytes(32), b"\x01" + bytes(31)):
        assert_refused(bob, messages[0][:13] + small + messages[0][45:])


def test_a_replayed_message_is_named_as_such() -> None:
    alice, bob = pair(HIDDEN)
    first, second = alice.encrypt(b"1", RANDOM), alice.encrypt(b"2", RANDOM)
    bob.decrypt(second)
    bob.decrypt(first)
    assert assert_refused(bob, first) is Rejection.DUPLICATE
    assert assert_refused(bob, second) is Rejection.DUPLICATE


def test_the_header_says_nothing_to_an_observer() -> None:
    alice, bob = pair(HIDDEN)
    bob.decrypt(alice.encrypt(b"", RANDOM))
    messages = [alice.encrypt(b"", RANDOM) for _ in range(50)]
    headers = {message[13:69] for message in messages}
    assert len(headers) == 50
    # The same ratchet key and a number that differs in one byte: without encryption most bytes would agree.
    for position in range(13, 69):
        assert len({message[position] for message in messages}) > 5
