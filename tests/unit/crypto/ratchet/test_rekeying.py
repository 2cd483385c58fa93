"""The post-quantum rekeying: what an eavesdropper who breaks X25519 can still follow, loss, and messages that lie."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve25519
from crypto.errors import DecodeError
from crypto.handshake import kem
from crypto.randomness import SeededRandomness, SystemRandomness
from crypto.ratchet import (
    DEFAULT_PARAMETERS,
    VERSION_1_PARAMETERS,
    DoubleRatchet,
    Header,
    MessageRejected,
    RatchetParameters,
    Rejection,
    RekeyingFormat,
)
from crypto.ratchet.rekey import Rekeying

RANDOM = SystemRandomness()
EVERY_TURN = replace(DEFAULT_PARAMETERS, rekey_interval=1)
GOLDEN = Path(__file__).parents[3] / "vectors" / "ratchet" / "rekeying-2.json"
MATERIAL = 1_000  # bytes: a message that is so much longer than its text carries an offer or an answer


def pair(parameters: RatchetParameters = EVERY_TURN) -> tuple[DoubleRatchet, DoubleRatchet]:
    secret, prekey = RANDOM.random_bytes(32), RANDOM.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(prekey), b"ad", RANDOM, parameters)
    bob = DoubleRatchet.respond(secret, prekey, b"ad", parameters)
    bob.decrypt(alice.encrypt(b"first", RANDOM))
    return alice, bob


def rekeying(ratchet: DoubleRatchet) -> Rekeying:
    assert ratchet._state.rekeying is not None
    return ratchet._state.rekeying


def turn(sender: DoubleRatchet, receiver: DoubleRatchet, text: bytes = b"text") -> bytes:
    message = sender.encrypt(text, RANDOM)
    assert receiver.decrypt(message) == text
    return message


def rekeys_after(turns: int, parameters: RatchetParameters) -> list[int]:
    alice, bob = pair(parameters)
    numbers = []
    for _ in range(turns):
        turn(bob, alice)
        turn(alice, bob)
        assert rekeying(alice).number == rekeying(bob).number
        numbers.append(rekeying(alice).number)
    return numbers


def test_a_rekey_is_done_in_the_turn_after_its_offer_and_then_again() -> None:
    assert rekeys_after(6, EVERY_TURN) == [1, 1, 2, 2, 3, 3]
    numbers = rekeys_after(60, DEFAULT_PARAMETERS)
    assert [numbers.index(number) + 1 for number in (1, 2, 3)] == [16, 33, 50]


def test_nothing_of_a_rekey_is_left_in_the_state_once_it_is_done() -> None:
    alice, bob = pair()
    seed, public = rekeying(alice).seed, rekeying(alice).public
    assert seed is not None
    assert public is not None
    assert seed in alice.serialize()
    turn(bob, alice)
    secret, ciphertext = rekeying(alice).secret, rekeying(bob).ciphertext
    assert secret is not None
    assert ciphertext is not None
    assert rekeying(bob).secret == secret
    assert seed not in alice.serialize()
    turn(alice, bob)
    for state in (alice.serialize(), bob.serialize()):
        assert not any(part in state for part in (seed, public, secret, ciphertext))


# An eavesdropper with a copy of one side's state, who computes discrete logarithms


class Known:
    """A randomness that gives the private key which the eavesdropper has computed."""

    def __init__(self, private: bytes) -> None:
        self._private = private

    def random_bytes(self, length: int) -> bytes:
        return self._private if length == 32 else RANDOM.random_bytes(length)


def followed(parameters: RatchetParameters, *, robs: str) -> int:
    """How many of 20 turns an eavesdropper reads after it has copied the whole state of ``robs``."""
    alice, bob = pair(parameters)
    robbed, other = (alice, bob) if robs == "alice" else (bob, alice)
    if robbed is alice:  # the copy is made while it is the other's turn, in either case
        turn(bob, alice)
    eve = DoubleRatchet.restore(robbed.serialize(), parameters)
    for number in range(20):
        turn(robbed, other)
        private = robbed._state.own_private  # out of the public key in the message's header
        assert private is not None
        eve.encrypt(b"", Known(private))
        answer = turn(other, robbed, b"answer")
        try:
            assert eve.decrypt(answer) == b"answer"
        except MessageRejected:
            return number
    return 20


@pytest.mark.parametrize("robs", ["alice", "bob"])
def test_who_breaks_x25519_follows_the_classical_ratchet_for_ever_and_ours_to_the_next_rekey(robs: str) -> None:
    assert followed(VERSION_1_PARAMETERS, robs=robs) == 20
    assert followed(EVERY_TURN, robs=robs) <= 2
    assert followed(DEFAULT_PARAMETERS, robs=robs) <= 18


def test_the_classical_part_heals_as_before_where_ml_kem_is_broken() -> None:
    """With all KEM secrets known, a copy without X25519's discrete logarithms is lost after one turn."""
    alice, bob = pair()
    eve = DoubleRatchet.restore(bob.serialize(), EVERY_TURN)
    turn(bob, alice)
    eve.encrypt(b"", RANDOM)
    ours, theirs = rekeying(bob), rekeying(eve)
    theirs.secret, theirs.transcript, theirs.ciphertext = ours.secret, ours.transcript, ours.ciphertext
    message = turn(alice, bob)
    with pytest.raises(MessageRejected):
        eve.decrypt(message)


# Loss and disorder


def test_offers_and_answers_are_repeated_sparsely_in_a_long_chain() -> None:
    alice, _ = pair()
    sizes = [len(alice.encrypt(b"", RANDOM)) for _ in range(160)]
    carrying = [position + 1 for position, size in enumerate(sizes) if size > MATERIAL]
    assert carrying == [1, 2, *range(16, 161, 16)]


def test_a_lost_offer_and_a_lost_answer_only_delay() -> None:
    alice, bob = pair()
    turn(bob, alice)
    turn(alice, bob)
    turn(bob, alice)
    for _ in range(3):
        alice.encrypt(b"lost", RANDOM)  # the only ones of this turn with the offer
    turn(alice, bob)
    assert rekeying(bob).public is None
    turn(bob, alice)
    turn(alice, bob)
    assert rekeying(bob).public is not None
    for _ in range(3):
        bob.encrypt(b"lost", RANDOM)
    turn(bob, alice)
    turn(alice, bob)
    assert (rekeying(alice).number, rekeying(alice).secret) == (1, None)
    turn(bob, alice)
    turn(alice, bob)
    assert rekeying(alice).number == rekeying(bob).number == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_lost_late_or_repeated_every_message_that_arrives_is_read_once(data: st.DataObject) -> None:
    sides = pair()
    underway: tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]] = ([], [])
    for number in range(data.draw(st.integers(10, 60))):
        side = data.draw(st.integers(0, 1))
        if data.draw(st.booleans()):
            text = b"%d" % number
            underway[side].append((text, sides[side].encrypt(text, RANDOM)))
        elif underway[1 - side]:
            at = data.draw(st.integers(0, len(underway[1 - side]) - 1))
            text, message = underway[1 - side].pop(at)
            if data.draw(st.integers(0, 4)):  # else it is lost
                assert sides[side].decrypt(message) == text
                with pytest.raises(MessageRejected):
                    sides[side].decrypt(message)
        sides = tuple(DoubleRatchet.restore(one.serialize(), EVERY_TURN) for one in sides)  # type: ignore[assignment]
    for _ in range(6):
        turn(sides[0], sides[1])
        turn(sides[1], sides[0])
    assert rekeying(sides[0]).number == rekeying(sides[1]).number > 0


# What a malicious peer sends, who has all keys


def sent_with(sender: DoubleRatchet, change: Callable[[Rekeying], None], text: bytes = b"") -> bytes:
    changed = DoubleRatchet.restore(sender.serialize(), EVERY_TURN)
    change(rekeying(changed))
    return changed.encrypt(text, RANDOM)


def refused(receiver: DoubleRatchet, message: bytes) -> Rejection:
    before = receiver.serialize()
    with pytest.raises(MessageRejected) as rejected:
        receiver.decrypt(message)
    assert receiver.serialize() == before, "what is refused changes nothing"
    return rejected.value.reason


def raw(sender: DoubleRatchet, framed: bytes) -> bytes:
    """A message of ``sender`` whose plaintext, offer or answer included, is ``framed``."""
    copy = DoubleRatchet.restore(sender.serialize(), EVERY_TURN)

    class Raw(Rekeying):
        def frame(self, position: int, plaintext: bytes, limit: int) -> bytes:
            return framed

    own = rekeying(copy)
    copy._state.rekeying = Raw(**{name: getattr(own, name) for name in Rekeying.__slots__})
    return copy.encrypt(b"", RANDOM)


def test_malformed_offers_and_answers_are_refused() -> None:
    alice, bob = pair()
    number = (1).to_bytes(4, "big")
    too_large = b"\xff" * 384  # coefficients above the modulus
    for framed in (b"", b"\x03", b"\x01", b"\x01" + number + bytes(1183), b"\x01" + number + too_large + bytes(800)):
        assert refused(bob, raw(alice, framed)) is Rejection.MALFORMED
    assert refused(bob, raw(alice, b"\x02" + number + bytes(1088))) is Rejection.MALFORMED, "only Bob answers"
    offer = kem.public_key(bytes(64))
    assert refused(alice, raw(bob, b"\x01" + number + offer)) is Rejection.MALFORMED, "only Alice offers"
    assert refused(alice, raw(bob, b"\x02" + number + bytes(1087))) is Rejection.MALFORMED


def test_offers_and_answers_with_other_numbers_are_ignored() -> None:
    alice, bob = pair()
    offer = rekeying(bob).public
    assert offer == rekeying(alice).public
    for number in (0, 2, 2**32 - 1):
        copy = DoubleRatchet.restore(bob.serialize(), EVERY_TURN)
        assert copy.decrypt(raw(alice, b"\x01" + number.to_bytes(4, "big") + kem.public_key(bytes(64)))) == b""
        assert rekeying(copy).public == offer
    answer = raw(bob, b"\x02" + (2).to_bytes(4, "big") + bytes(1088) + b"text")
    assert alice.decrypt(answer) == b"text"
    assert rekeying(alice).secret is None


def test_a_step_that_was_not_agreed_is_refused() -> None:
    alice, bob = pair()
    turn(bob, alice)

    def invent(state: Rekeying) -> None:
        state.secret = bytes(32)

    def skip_one(state: Rekeying) -> None:
        state.number += 1

    assert refused(bob, sent_with(alice, invent)) is Rejection.UNAUTHENTIC
    assert refused(bob, sent_with(alice, skip_one)) is Rejection.UNAUTHENTIC
    turn(alice, bob)
    turn(bob, alice)
    invented = DoubleRatchet.restore(alice.serialize(), EVERY_TURN)
    rekeying(invented).secret, rekeying(invented).transcript = bytes(32), bytes(32)
    rekeying(invented).seed = rekeying(invented).public = None
    assert refused(bob, invented.encrypt(b"", RANDOM)) is Rejection.UNAUTHENTIC


def test_a_forged_ciphertext_gives_a_secret_that_nobody_shares() -> None:
    """ML-KEM rejects implicitly; the next chain does not open, and the session is started over by Sesame."""
    alice, bob = pair()
    bob.encrypt(b"", RANDOM)
    forged = raw(bob, b"\x02" + (1).to_bytes(4, "big") + bytes(1088))
    assert alice.decrypt(forged) == b""
    assert refused(bob, alice.encrypt(b"", RANDOM)) is Rejection.UNAUTHENTIC


# Forms


def test_headers_of_44_bytes() -> None:
    header = Header(bytes(range(32)), 1, 2, 3)
    assert Header.decode_rekeying(header.encode_rekeying()) == header
    for length in (40, 43, 45):
        with pytest.raises(DecodeError):
            Header.decode_rekeying(bytes(length))


def test_parameters_and_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="rekeying"):
        RatchetParameters(rekey_interval=3)
    with pytest.raises(ValueError, match="rekeying"):
        RatchetParameters(message_format=RekeyingFormat())
    alice, _ = pair(DEFAULT_PARAMETERS)
    with pytest.raises(DecodeError, match="parameters"):
        DoubleRatchet.restore(alice.serialize(), VERSION_1_PARAMETERS)
    classical, _ = pair(VERSION_1_PARAMETERS)
    with pytest.raises(DecodeError, match="parameters"):
        DoubleRatchet.restore(classical.serialize(), DEFAULT_PARAMETERS)
    assert DoubleRatchet.restore(classical.serialize()).encrypt(b"", RANDOM)[:1] == b"\x01"
    assert DoubleRatchet.restore(alice.serialize()).encrypt(b"", RANDOM)[:1] == b"\x03"


def test_the_largest_plaintext_still_fits_while_an_offer_waits() -> None:
    alice, bob = pair()
    longest = bytes((1 << 26) - 1024)
    assert bob.decrypt(alice.encrypt(longest, RANDOM)) == longest


def scene() -> dict[str, str]:
    """Both sides in every phase. The answer's ciphertext is OpenSSL's randomness, so this is only read back."""
    randomness = SeededRandomness(b"rekeying golden file")
    secret, prekey = randomness.random_bytes(32), randomness.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(prekey), b"ad", randomness, EVERY_TURN)
    bob = DoubleRatchet.respond(secret, prekey, b"ad", EVERY_TURN)
    states = {"offered": alice.serialize().hex()}
    bob.decrypt(alice.encrypt(b"first", randomness))
    states["to be answered"] = bob.serialize().hex()
    answer = bob.encrypt(b"answer", randomness)
    states |= {"answered": bob.serialize().hex(), "answer": answer.hex()}
    alice.decrypt(answer)
    states["agreed"] = alice.serialize().hex()
    states["stepped message"] = alice.encrypt(b"stepped", randomness).hex()
    return states


def test_the_golden_states_in_every_phase_are_still_read() -> None:
    golden = {name: bytes.fromhex(value) for name, value in json.loads(GOLDEN.read_text()).items()}
    for name in ("offered", "to be answered", "answered", "agreed"):
        assert DoubleRatchet.restore(golden[name]).serialize() == golden[name]
    assert DoubleRatchet.restore(golden["offered"]).decrypt(golden["answer"]) == b"answer"
    bob = DoubleRatchet.restore(golden["answered"])
    assert bob.decrypt(golden["stepped message"]) == b"stepped"
    assert rekeying(bob).number == 1
    assert turn(DoubleRatchet.restore(golden["agreed"], EVERY_TURN), DoubleRatchet.restore(golden["answered"]))


def test_secrets_are_not_shown() -> None:
    alice, bob = pair()
    turn(bob, alice)
    secret = rekeying(alice).secret
    assert repr(secret) not in repr(rekeying(alice)) + repr(rekeying(bob))
