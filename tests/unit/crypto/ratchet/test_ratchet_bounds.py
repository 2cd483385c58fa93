"""Skipped keys: 1,000 a chain and 2,000 in all, and what happens at the edges."""

import os

import pytest

from crypto import curve25519
from crypto.randomness import SystemRandomness
from crypto.ratchet import CannotSend, DoubleRatchet, MessageRejected, Rejection

RANDOM = SystemRandomness()


def pair() -> tuple[DoubleRatchet, DoubleRatchet]:
    secret, prekey = os.urandom(32), os.urandom(32)
    return (
        DoubleRatchet.initiate(secret, curve25519.public_key(prekey), b"ad", RANDOM),
        DoubleRatchet.respond(secret, prekey, b"ad"),
    )


def refusal(ratchet: DoubleRatchet, message: bytes) -> Rejection:
    with pytest.raises(MessageRejected) as refused:
        ratchet.decrypt(message)
    return refused.value.reason


def send(ratchet: DoubleRatchet, count: int) -> list[bytes]:
    return [ratchet.encrypt(str(number).encode(), RANDOM) for number in range(count)]


def test_a_thousand_messages_may_be_overtaken_and_all_are_read_later() -> None:
    alice, bob = pair()
    messages = send(alice, 1001)
    assert bob.decrypt(messages[1000]) == b"1000"
    assert bob.skipped_keys == 1000
    for number in reversed(range(1000)):
        assert bob.decrypt(messages[number]) == str(number).encode()
    assert bob.skipped_keys == 0


def test_one_more_is_too_far_and_changes_nothing() -> None:
    alice, bob = pair()
    messages = send(alice, 1002)
    before = bob.serialize()
    assert refusal(bob, messages[1001]) is Rejection.TOO_FAR
    assert bob.serialize() == before
    assert bob.decrypt(messages[1000]) == b"1000"
    assert bob.decrypt(messages[1001]) == b"1001"


def test_gaps_of_one_chain_together_keep_a_thousand_keys_and_drop_the_oldest() -> None:
    alice, bob = pair()
    messages = send(alice, 1300)
    bob.decrypt(messages[700])  # 700 skipped
    bob.decrypt(messages[1201])  # 500 more: 200 of the first must go
    assert bob.skipped_keys == 1000
    assert refusal(bob, messages[199]) is Rejection.DUPLICATE
    assert bob.decrypt(messages[200]) == b"200"


def test_all_chains_together_keep_two_thousand_keys_and_drop_the_oldest() -> None:
    alice, bob = pair()
    chains: list[list[bytes]] = []
    for _ in range(3):
        chains.append(send(alice, 901))
        bob.decrypt(chains[-1][900])
        alice.decrypt(bob.encrypt(b"turn", RANDOM))
    assert bob.skipped_keys == 2000
    assert refusal(bob, chains[0][699]) is Rejection.DUPLICATE
    assert bob.decrypt(chains[0][700]) == b"700"
    assert bob.decrypt(chains[2][0]) == b"0"


def test_a_chain_whose_end_is_lost_beyond_the_bound_is_given_up_and_the_session_lives() -> None:
    alice, bob = pair()
    bob.decrypt(alice.encrypt(b"first", RANDOM))
    lost = send(alice, 1500)
    alice.decrypt(bob.encrypt(b"answer", RANDOM))
    assert bob.decrypt(alice.encrypt(b"after the storm", RANDOM)) == b"after the storm"
    assert bob.skipped_keys == 0
    assert refusal(bob, lost[0]) is Rejection.UNAUTHENTIC


def test_messages_of_an_older_chain_are_read_after_the_turn() -> None:
    alice, bob = pair()
    bob.decrypt(alice.encrypt(b"first", RANDOM))
    late = send(alice, 3)
    for _ in range(3):
        alice.decrypt(bob.encrypt(b"ping", RANDOM))
        bob.decrypt(alice.encrypt(b"pong", RANDOM))
    assert [bob.decrypt(message) for message in reversed(late)] == [b"2", b"1", b"0"]


def test_a_responder_cannot_send_first() -> None:
    _, bob = pair()
    with pytest.raises(CannotSend):
        bob.encrypt(b"too early", RANDOM)


def test_associated_data_that_could_not_be_restored_is_not_taken() -> None:
    longest = bytes(1 << 16)
    DoubleRatchet.restore(DoubleRatchet.respond(bytes(32), bytes(32), longest).serialize())
    with pytest.raises(ValueError, match="64 KiB"):
        DoubleRatchet.respond(bytes(32), bytes(32), longest + b"x")


def test_a_plaintext_that_would_not_be_accepted_is_not_sent() -> None:
    alice, bob = pair()
    before = alice.serialize()
    with pytest.raises(CannotSend):
        alice.encrypt(bytes(1 << 26), RANDOM)
    assert alice.serialize() == before
    longest = bytes((1 << 26) - 1024)
    assert bob.decrypt(alice.encrypt(longest, RANDOM)) == longest


def test_a_chain_of_2_to_the_32_messages_is_full_and_the_session_goes_on_after_an_answer() -> None:
    alice, bob = pair()
    bob.decrypt(alice.encrypt(b"first", RANDOM))
    alice._state.sent = bob._state.received = 2**32 - 2
    bob.decrypt(alice.encrypt(b"the last one", RANDOM))
    before = alice.serialize()
    with pytest.raises(CannotSend, match="full"):
        alice.encrypt(b"one too many", RANDOM)
    assert alice.serialize() == before
    alice.decrypt(bob.encrypt(b"answer", RANDOM))
    assert bob.decrypt(alice.encrypt(b"the next chain names the length of the last", RANDOM)).startswith(b"the next")


def test_a_state_whose_chain_is_longer_than_a_header_can_say_still_sends() -> None:
    """Version 1 sent one message more, and raised ``struct.error`` for ever after."""
    alice, bob = pair()
    bob.decrypt(alice.encrypt(b"first", RANDOM))
    alice._state.sent = 2**32
    full = DoubleRatchet.restore(alice.serialize())
    with pytest.raises(CannotSend):
        full.encrypt(b"", RANDOM)
    full.decrypt(bob.encrypt(b"answer", RANDOM))
    full._state.previous_sent = 2**32
    restored = DoubleRatchet.restore(full.serialize())
    assert bob.decrypt(restored.encrypt(b"on we go", RANDOM)) == b"on we go"
