"""Safety numbers. That they are Signal's is shown against libsignal itself in tests/interop."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import DecodeError
from crypto.identity import IdentityKey, IdentityKeyPair, SafetyNumber, SafetyNumberMismatch
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()


def key() -> IdentityKey:
    return IdentityKeyPair.generate(RANDOM).public


def test_both_sides_read_the_same_sixty_digits_and_scan_each_other() -> None:
    ada, bob = key(), key()
    at_ada = SafetyNumber.of(b"ada", [ada], b"bob", [bob])
    at_bob = SafetyNumber.of(b"bob", [bob], b"ada", [ada])
    assert at_ada.digits == at_bob.digits
    assert len(at_ada.digits) == 60
    assert at_ada.digits.isdigit()
    assert at_ada.grouped().replace(" ", "") == at_ada.digits
    assert [len(group) for group in at_ada.grouped().split(" ")] == [5] * 12
    at_ada.check_scanned(at_bob.qr_payload())
    at_bob.check_scanned(at_ada.qr_payload())


def test_the_digits_follow_the_published_construction() -> None:
    ada, bob = key(), key()

    def half(name: bytes, public: bytes) -> str:
        digest = b"\x00\x00" + public + name
        for _ in range(5200):
            digest = hashlib.sha512(digest + public).digest()
        groups = [int.from_bytes(digest[i : i + 5], "big") % 100000 for i in range(0, 30, 5)]
        return "".join(f"{group:05d}" for group in groups)

    expected = "".join(sorted([half(b"ada", ada.encode()), half(b"bob", bob.encode())]))
    assert SafetyNumber.of(b"ada", [ada], b"bob", [bob]).digits == expected


def test_a_changed_key_a_new_device_or_another_name_changes_the_number() -> None:
    ada, phone, laptop = key(), key(), key()
    number = SafetyNumber.of(b"ada", [ada], b"bob", [phone])
    others = [
        SafetyNumber.of(b"ada", [ada], b"bob", [laptop]),
        SafetyNumber.of(b"ada", [ada], b"bob", [phone, laptop]),
        SafetyNumber.of(b"ada", [ada], b"rob", [phone]),
    ]
    for other in others:
        assert other.digits != number.digits
        with pytest.raises(SafetyNumberMismatch):
            number.check_scanned(SafetyNumber(other.digits, other.theirs, other.own).qr_payload())


def test_the_order_of_devices_does_not_matter() -> None:
    ada, phone, laptop = key(), key(), key()
    assert SafetyNumber.of(b"ada", [ada], b"bob", [phone, laptop]) == SafetyNumber.of(
        b"ada", [ada], b"bob", [laptop, phone]
    )


def test_the_own_code_is_not_the_other_side_s() -> None:
    number = SafetyNumber.of(b"ada", [key()], b"bob", [key()])
    with pytest.raises(SafetyNumberMismatch):
        number.check_scanned(number.qr_payload())


def test_a_party_without_keys_has_no_number() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SafetyNumber.of(b"ada", [], b"bob", [key()])


NUMBER = SafetyNumber.of(
    b"ada",
    [IdentityKeyPair.generate(SeededRandomness(b"ada")).public],
    b"bob",
    [IdentityKeyPair.generate(SeededRandomness(b"bob")).public],
)


@settings(deadline=None)
@given(st.binary(max_size=70))
def test_any_scanned_bytes_are_a_decode_error_or_a_mismatch(payload: bytes) -> None:
    for scanned in (payload, b"\x01" + payload):
        with pytest.raises((DecodeError, SafetyNumberMismatch)):
            NUMBER.check_scanned(scanned)


def test_a_known_number() -> None:
    assert NUMBER.digits == ("166264063610000116987213456508703170284728209990001698013341")
