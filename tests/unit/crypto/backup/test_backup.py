"""Restoring on a new device, wrong secrets and damaged blobs. PINs: test_pins.py."""

import json
from pathlib import Path

import pytest
from argon2.exceptions import HashingError
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.backup import (
    Answer,
    Archive,
    ArchiveRejected,
    ArchiveRolledBack,
    Argon2Parameters,
    NotEnoughMemory,
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
FOLDER = Path(__file__).parents[3] / "vectors" / "backup"
CHEAP = Argon2Parameters(memory=64, time=1, lanes=1)
KEY = RecoveryKey.generate(RANDOM)
ARCHIVE = b"identity keys, sessions, groups" * 100


def scene() -> dict[str, str]:
    """One blob of every kind, reproducible. The passphrase is "correct horse"."""
    randomness = SeededRandomness(b"backup vectors 2")
    key = RecoveryKey.generate(randomness)
    return {
        "recovery_key": key.words(),
        "passphrase": wrap_with_passphrase(key, "correct horse", randomness, CHEAP).hex(),
        "legacy": wrap_with_legacy_passphrase(key, "correct horse", randomness, 100_000).hex(),
        "archive": seal_archive(key, b"the archive", 3, randomness).hex(),
    }


GOLDEN_1: dict[str, str] = json.loads((FOLDER / "backup-1.json").read_text())
GOLDEN: dict[str, str] = json.loads((FOLDER / "backup-2.json").read_text())


def test_the_golden_blobs_are_still_written() -> None:
    assert scene() == GOLDEN


@pytest.mark.parametrize("golden", [GOLDEN_1, GOLDEN], ids=["1", "2"])
def test_the_golden_blobs_of_all_versions_are_still_read(golden: dict[str, str]) -> None:
    key = RecoveryKey.from_words(golden["recovery_key"])
    number = 0 if golden is GOLDEN_1 else 3
    opened = open_archive(key, bytes.fromhex(golden["archive"]), min_number=number)
    assert opened == Archive(number, b"the archive")
    assert unwrap_with_passphrase(bytes.fromhex(golden["passphrase"]), "correct horse") == key
    assert unwrap_with_legacy_passphrase(bytes.fromhex(golden["legacy"]), "correct horse") == key


def test_newer_versions_are_refused_clearly() -> None:
    with pytest.raises(UnsupportedStateVersion):
        open_archive(KEY, b"\x03" + bytes.fromhex(GOLDEN["archive"])[1:], min_number=0)


# The archive and its recovery key


def test_a_new_device_restores_with_the_words_on_paper() -> None:
    words = KEY.words()
    assert len(words.split()) == 14
    sealed = seal_archive(KEY, ARCHIVE, 1, RANDOM)
    for written in (words, words.lower(), words.replace(" ", ""), words.replace(" ", "-"), f"\n {words} "):
        assert open_archive(RecoveryKey.from_words(written), sealed, min_number=1).content == ARCHIVE


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
    sealed = seal_archive(KEY, b"short", 1, RANDOM)
    with pytest.raises(ArchiveRejected):
        open_archive(RecoveryKey.generate(RANDOM), sealed, min_number=0)
    for index in range(1, len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1 << index % 8
        with pytest.raises(ArchiveRejected):
            open_archive(KEY, bytes(altered), min_number=0)
    for length in range(len(sealed)):
        with pytest.raises((ArchiveRejected, DecodeError)):
            open_archive(KEY, sealed[:length], min_number=0)


def test_archives_of_similar_size_look_the_same_and_no_two_are_equal() -> None:
    sealed = [seal_archive(KEY, bytes(length), 1, RANDOM) for length in (0, 10, 500)]
    assert len({len(one) for one in sealed}) == 1
    assert seal_archive(KEY, ARCHIVE, 1, RANDOM) != seal_archive(KEY, ARCHIVE, 1, RANDOM)


def test_an_archive_that_its_store_has_rolled_back_is_refused() -> None:
    first, second = seal_archive(KEY, b"old keys", 1, RANDOM), seal_archive(KEY, b"new keys", 2, RANDOM)
    assert open_archive(KEY, second, min_number=2) == Archive(2, b"new keys")
    with pytest.raises(ArchiveRolledBack, match="archive 1 is older than archive 2"):
        open_archive(KEY, first, min_number=2)
    renumbered = first[:8] + b"\x02" + first[9:]
    with pytest.raises(ArchiveRejected):
        open_archive(KEY, renumbered, min_number=2)
    with pytest.raises(ArchiveRolledBack):
        open_archive(RecoveryKey.from_words(GOLDEN_1["recovery_key"]), bytes.fromhex(GOLDEN_1["archive"]), min_number=1)
    with pytest.raises(ValueError, match="from 1"):
        seal_archive(KEY, b"", 0, RANDOM)


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
    ("memory", "time", "lanes"),
    [
        (1 << 21, 1, 1),
        ((1 << 18) + 1, 1, 1),
        (1 << 16, 33, 1),
        (0, 1, 1),
        (64, 0, 1),
        (64, 1, 0),
        (64, 1, 9),
        (64, 1, 65),
    ],
)
def test_parameters_out_of_range_are_neither_read_nor_written(memory: int, time: int, lanes: int) -> None:
    """The first ones ask for 2 GiB, and for a little more than 256 MiB."""
    asked = memory.to_bytes(4, "big") + time.to_bytes(4, "big") + lanes.to_bytes(1, "big")
    for read in (
        lambda: unwrap_with_passphrase(b"\x01" + asked + bytes(16 + 92), "x"),
        lambda: PinAttempt("1", RANDOM).recover(
            [Answer(1, bytes(32), 0, 10)], b"\x04\x01\x01" + asked + bytes(16 + 124), min_threshold=1
        ),
        lambda: Argon2Parameters(memory, time, lanes),
    ):
        with pytest.raises(DecodeError, match="out of range"):
            read()


def test_256_mib_may_be_asked_for() -> None:
    assert Argon2Parameters(memory=1 << 18, time=1).memory == 262_144


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


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_from_nowhere_are_typed_errors(data: bytes) -> None:
    for kind in (b"", b"\x01", b"\x02"):
        with pytest.raises(CryptoError):
            open_archive(KEY, kind + data, min_number=0)
        with pytest.raises(CryptoError):
            unwrap_with_legacy_passphrase(kind + data, "x")
    with pytest.raises(CryptoError):
        unwrap_with_passphrase(b"\x01" + CHEAP.encode() + data, "x")


def test_the_recovery_key_is_not_shown() -> None:
    assert repr(KEY.raw) not in repr(KEY)
