"""Restoring on a new device, wrong secrets, damaged blobs, and a PIN that is guessed."""

import json
from pathlib import Path

import pytest
from argon2.exceptions import HashingError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crypto.backup import (
    ArchiveRejected,
    Argon2Parameters,
    GuessesExhausted,
    GuessLimiter,
    NotEnoughMemory,
    NotEnrolled,
    PinAttempt,
    RecoveryKey,
    WrongSecret,
    argon2id,
    open_archive,
    seal_archive,
    unwrap_with_legacy_passphrase,
    unwrap_with_passphrase,
    wrap_with_legacy_passphrase,
    wrap_with_passphrase,
)
from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()
VECTORS = Path(__file__).parents[3] / "vectors" / "backup" / "backup-1.json"
CHEAP = Argon2Parameters(memory=64, time=1, lanes=1)
KEY = RecoveryKey.generate(RANDOM)
ARCHIVE = b"identity keys, sessions, groups" * 100


def scene() -> dict[str, str]:
    """One blob of every kind, reproducible. The passphrase is "correct horse", the PIN 2468."""
    randomness = SeededRandomness(b"backup vectors")
    key = RecoveryKey.generate(randomness)
    attempt = PinAttempt("2468", randomness)
    limiter, evaluated = GuessLimiter.begin(attempt.element, randomness)
    enrolment = attempt.enrol(evaluated, key, randomness, CHEAP)
    limiter, _, _ = limiter.enrol(enrolment.envelope, enrolment.verifier).guess(attempt.element)
    return {
        "recovery_key": key.words(),
        "archive": seal_archive(key, b"the archive", randomness).hex(),
        "passphrase": wrap_with_passphrase(key, "correct horse", randomness, CHEAP).hex(),
        "legacy": wrap_with_legacy_passphrase(key, "correct horse", randomness, 100_000).hex(),
        "limiter": limiter.serialize().hex(),
    }


GOLDEN: dict[str, str] = json.loads(VECTORS.read_text())


def test_the_golden_blobs_of_version_1_are_still_written() -> None:
    assert scene() == GOLDEN


def test_the_golden_blobs_of_version_1_are_still_read() -> None:
    key = RecoveryKey.from_words(GOLDEN["recovery_key"])
    blobs = {name: bytes.fromhex(data) for name, data in GOLDEN.items() if name != "recovery_key"}
    assert open_archive(key, blobs["archive"]) == b"the archive"
    assert unwrap_with_passphrase(blobs["passphrase"], "correct horse") == key
    assert unwrap_with_legacy_passphrase(blobs["legacy"], "correct horse") == key
    limiter = GuessLimiter.restore(blobs["limiter"])
    assert limiter.remaining == 9
    attempt = PinAttempt("2468", RANDOM)
    limiter, evaluated, envelope = limiter.guess(attempt.element)
    assert attempt.recover(evaluated, envelope).recovery_key == key


def test_newer_versions_are_refused_clearly() -> None:
    with pytest.raises(UnsupportedStateVersion):
        open_archive(KEY, b"\x02" + bytes.fromhex(GOLDEN["archive"])[1:])
    with pytest.raises(UnsupportedStateVersion):
        GuessLimiter.restore(b"\x02" + bytes.fromhex(GOLDEN["limiter"])[1:])


# The archive and its recovery key


def test_a_new_device_restores_with_the_words_on_paper() -> None:
    words = KEY.words()
    assert len(words.split()) == 14
    sealed = seal_archive(KEY, ARCHIVE, RANDOM)
    for written in (words, words.lower(), words.replace(" ", ""), words.replace(" ", "-"), f"\n {words} "):
        assert open_archive(RecoveryKey.from_words(written), sealed) == ARCHIVE


@given(st.integers(0, 55), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_a_mistyped_recovery_key_is_noticed(position: int, letter: str) -> None:
    text = list(KEY.words().replace(" ", ""))
    if text[position] == letter:
        return
    text[position] = letter
    with pytest.raises(DecodeError):
        RecoveryKey.from_words("".join(text))


@given(st.text(max_size=80))
def test_any_text_is_a_recovery_key_or_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError):
        RecoveryKey.from_words(text)


def test_another_key_an_altered_or_a_cut_archive_is_rejected() -> None:
    sealed = seal_archive(KEY, b"short", RANDOM)
    with pytest.raises(ArchiveRejected):
        open_archive(RecoveryKey.generate(RANDOM), sealed)
    for index in range(1, len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1 << index % 8
        with pytest.raises(ArchiveRejected):
            open_archive(KEY, bytes(altered))
    for length in range(len(sealed)):
        with pytest.raises((ArchiveRejected, DecodeError)):
            open_archive(KEY, sealed[:length])


def test_archives_of_similar_size_look_the_same_and_no_two_are_equal() -> None:
    sealed = [seal_archive(KEY, bytes(length), RANDOM) for length in (0, 10, 500)]
    assert len({len(one) for one in sealed}) == 1
    assert seal_archive(KEY, ARCHIVE, RANDOM) != seal_archive(KEY, ARCHIVE, RANDOM)


# Passphrases


def test_the_recovery_key_comes_back_with_the_passphrase_in_either_unicode_form() -> None:
    blob = wrap_with_passphrase(KEY, "p\u00e4ssphrase", RANDOM, CHEAP)
    assert unwrap_with_passphrase(blob, "pa\u0308ssphrase") == KEY
    with pytest.raises(WrongSecret):
        unwrap_with_passphrase(blob, "passphrase")


def test_the_default_is_the_recommendation_of_rfc_9106() -> None:
    assert Argon2Parameters() == Argon2Parameters(memory=65_536, time=3, lanes=4)
    assert wrap_with_passphrase(KEY, "x", RANDOM)[1:10] == Argon2Parameters().encode()


def test_every_altered_or_cut_passphrase_blob_is_refused() -> None:
    blob = wrap_with_passphrase(KEY, "x", RANDOM, CHEAP)
    for index in range(len(blob)):
        in_parameters = 1 <= index < 10  # other bits there ask for a lot of work before they are refused
        for bit in (0,) if in_parameters else (0, 3, 7):
            altered = bytearray(blob)
            altered[index] ^= 1 << bit
            with pytest.raises((WrongSecret, DecodeError)):
                unwrap_with_passphrase(bytes(altered), "x")
        with pytest.raises(DecodeError):
            unwrap_with_passphrase(blob[:index], "x")
    with pytest.raises(DecodeError):
        unwrap_with_passphrase(blob + b"\x00", "x")


@pytest.mark.parametrize(
    "parameters", [(1 << 22, 1, 1), (1 << 16, 33, 1), (0, 1, 1), (64, 0, 1), (64, 1, 0), (64, 1, 9), (64, 1, 65)]
)
def test_parameters_out_of_range_are_refused_before_any_work(parameters: tuple[int, int, int]) -> None:
    blob = b"\x01" + Argon2Parameters(*parameters).encode() + bytes(16 + 92)
    with pytest.raises(DecodeError, match="out of range"):
        unwrap_with_passphrase(blob, "x")


def test_a_device_without_the_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = wrap_with_passphrase(KEY, "x", RANDOM, CHEAP)

    def no_memory(*_: object) -> bytes:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(argon2id, "hash_secret_raw", no_memory)
    with pytest.raises(NotEnoughMemory):
        unwrap_with_passphrase(blob, "x")


def test_the_legacy_form() -> None:
    blob = bytes.fromhex(GOLDEN["legacy"])
    assert b"$2b$12$" in blob
    with pytest.raises(WrongSecret):
        unwrap_with_legacy_passphrase(blob, "wrong horse")
    cut_check = blob[:21] + b"$2b$04$" + blob[28:]
    too_few = blob[:1] + (99_999).to_bytes(4, "big") + blob[5:]
    not_base64 = blob[:40] + b"\xff" + blob[41:]
    other_kind = b"\x01" + blob[1:]
    for damaged in (cut_check, too_few, not_base64, other_kind, blob[:-1], blob + b"\x00", b""):
        with pytest.raises(DecodeError):
            unwrap_with_legacy_passphrase(damaged, "correct horse")
    altered = blob[:-1] + bytes([blob[-1] ^ 1])
    with pytest.raises(WrongSecret):
        unwrap_with_legacy_passphrase(altered, "correct horse")
    with pytest.raises(ValueError, match="100,000"):
        wrap_with_legacy_passphrase(KEY, "x", RANDOM, 99_999)


# PINs


def enrolled(pin: str) -> GuessLimiter:
    attempt = PinAttempt(pin, RANDOM)
    limiter, evaluated = GuessLimiter.begin(attempt.element, RANDOM)
    enrolment = attempt.enrol(evaluated, KEY, RANDOM, CHEAP)
    return limiter.enrol(enrolment.envelope, enrolment.verifier)


def test_the_right_pin_restores_and_gives_the_guesses_back() -> None:
    limiter = enrolled("1234")
    for wrong in range(9):
        attempt = PinAttempt(f"000{wrong}", RANDOM)
        limiter, evaluated, envelope = limiter.guess(attempt.element)
        with pytest.raises(WrongSecret):
            attempt.recover(evaluated, envelope)
    assert limiter.remaining == 1
    other = enrolled("1234")
    attempt = PinAttempt("1234", RANDOM)
    other, evaluated, envelope = other.guess(attempt.element)
    recovered = attempt.recover(evaluated, envelope)
    assert recovered.recovery_key == KEY
    assert other.remaining == 9
    assert other.confirm(recovered.token).remaining == 10
    with pytest.raises(WrongSecret):
        limiter.confirm(recovered.token)


def test_after_the_tenth_guess_key_and_envelope_are_gone_even_for_the_right_pin() -> None:
    limiter = enrolled("1234")
    key = limiter.key
    assert key is not None
    for _ in range(10):
        attempt = PinAttempt("9999", RANDOM)
        limiter, _, envelope = limiter.guess(attempt.element)
    assert limiter.remaining == 0
    state = limiter.serialize()
    assert key not in state
    assert envelope not in state
    for gone in (limiter, GuessLimiter.restore(state)):
        with pytest.raises(GuessesExhausted):
            gone.guess(PinAttempt("1234", RANDOM).element)
        with pytest.raises(GuessesExhausted):
            gone.confirm(bytes(32))


def test_a_right_tenth_guess_is_still_answered() -> None:
    limiter = enrolled("1234")
    for _ in range(9):
        limiter, _, _ = limiter.guess(PinAttempt("9999", RANDOM).element)
    attempt = PinAttempt("1234", RANDOM)
    limiter, evaluated, envelope = limiter.guess(attempt.element)
    assert attempt.recover(evaluated, envelope).recovery_key == KEY
    assert limiter.remaining == 0


def test_a_stolen_envelope_is_useless_without_the_guess_limiter() -> None:
    """The thief knows the PIN even, but has to do without the key that only the limiter has."""
    limiter = enrolled("1234")
    thief = PinAttempt("1234", RANDOM)
    _, evaluated = GuessLimiter.begin(thief.element, RANDOM)
    with pytest.raises(WrongSecret):
        thief.recover(evaluated, limiter.envelope)


def test_the_server_sees_nothing_that_depends_on_the_pin() -> None:
    """Each blinded PIN fits every PIN: two attempts with one PIN are as unlike as with two."""
    assert len({PinAttempt(pin, RANDOM).element for pin in ["1234"] * 5 + ["4321"] * 5}) == 10


def test_an_element_that_is_none_costs_no_guess() -> None:
    limiter = enrolled("1234")
    for element in (b"", bytes(32), b"\xff" * 32):
        with pytest.raises(DecodeError):
            limiter.guess(element)


def test_phases_are_kept() -> None:
    attempt = PinAttempt("1234", RANDOM)
    begun, _ = GuessLimiter.begin(attempt.element, RANDOM)
    with pytest.raises(NotEnrolled):
        begun.guess(attempt.element)
    with pytest.raises(WrongSecret):
        begun.confirm(bytes(32))
    with pytest.raises(NotEnrolled):
        enrolled("1234").enrol(b"x", bytes(32))
    for envelope, verifier in ((b"", bytes(32)), (bytes(2000), bytes(32)), (b"x", bytes(31))):
        with pytest.raises(DecodeError):
            begun.enrol(envelope, verifier)


class Guessing(RuleBasedStateMachine):
    """Whatever is tried in whatever order: between two right guesses at most ten are answered."""

    @initialize()
    def begin(self) -> None:
        self.limiter = enrolled("1234")
        self.since_right = 0

    @rule(right=st.booleans())
    def guess(self, right: bool) -> None:
        attempt = PinAttempt("1234" if right else "4321", RANDOM)
        try:
            self.limiter, evaluated, envelope = GuessLimiter.restore(self.limiter.serialize()).guess(attempt.element)
        except GuessesExhausted:
            assert self.since_right == 10
            return
        self.since_right += 1
        if not right:
            with pytest.raises(WrongSecret):
                attempt.recover(evaluated, envelope)
            return
        recovered = attempt.recover(evaluated, envelope)
        assert recovered.recovery_key == KEY
        if self.since_right < 10:
            self.limiter = self.limiter.confirm(recovered.token)
            self.since_right = 0

    @precondition(lambda self: self.since_right < 10)
    @rule(token=st.binary(min_size=32, max_size=32))
    def forge_a_token(self, token: bytes) -> None:
        with pytest.raises(WrongSecret):
            self.limiter.confirm(token)

    @invariant()
    def the_count_is_right(self) -> None:
        if hasattr(self, "limiter"):
            assert self.limiter.remaining == 10 - self.since_right


Guessing.TestCase.settings = settings(max_examples=10, stateful_step_count=15, deadline=None)
TestGuessing = Guessing.TestCase


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_from_nowhere_are_typed_errors(data: bytes) -> None:
    attempt = ATTEMPT
    for kind in (b"", b"\x01", b"\x03" + CHEAP.encode()):
        for read in (
            lambda blob: open_archive(KEY, blob),
            GuessLimiter.restore,
            lambda blob: unwrap_with_legacy_passphrase(blob, "x"),
            lambda blob: attempt.recover(EVALUATED, blob),
            lambda blob: attempt.recover(blob, bytes.fromhex(GOLDEN["passphrase"])),
        ):
            with pytest.raises(CryptoError):
                read(kind + data)


ATTEMPT = PinAttempt("1", RANDOM)
_, EVALUATED = GuessLimiter.begin(ATTEMPT.element, RANDOM)


def test_secrets_are_not_shown() -> None:
    limiter = enrolled("1234")
    shown = repr(KEY) + repr(limiter) + repr(PinAttempt("1234", RANDOM))
    assert repr(KEY.raw) not in shown
    assert repr(limiter.key) not in shown
    assert "1234" not in shown
