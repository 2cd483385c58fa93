"""XEdDSA and the identity keys, with the `xeddsa` package as oracle."""

import os
from pathlib import Path

import pytest
import xeddsa as oracle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.identity import IdentityKey, IdentityKeyPair, InvalidSignature, xeddsa
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()
ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD_PRIME = 2**255 - 19
GOLDEN = Path(__file__).parents[3] / "vectors" / "identity" / "identity-key-pair-1.hex"

KEYS = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(KEYS, st.binary(max_size=200), st.binary(min_size=64, max_size=64))
def test_our_signature_is_byte_for_byte_the_oracle_s(private: bytes, message: bytes, nonce: bytes) -> None:
    ours = xeddsa.sign(private, message, nonce)
    # The oracle hashes its scalar as it is given; the specification hashes it reduced.
    scalar = int.from_bytes(oracle.priv_force_sign(private, False), "little") % ORDER
    assert ours == oracle.ed25519_priv_sign(scalar.to_bytes(32, "little"), message, nonce)


@settings(deadline=None)
@given(KEYS, st.binary(max_size=200))
def test_both_verify_each_other_s_signatures(private: bytes, message: bytes) -> None:
    public = oracle.priv_to_curve25519_pub(private)
    edwards = oracle.curve25519_pub_to_ed25519_pub(public, False)
    assert xeddsa.edwards_key(public) == edwards
    assert xeddsa.edwards_key(public, 1) == oracle.curve25519_pub_to_ed25519_pub(public, True)
    theirs = oracle.ed25519_priv_sign(oracle.priv_force_sign(private, False), message)
    assert xeddsa.verify(public, message, theirs)
    assert oracle.ed25519_verify(xeddsa.sign(private, message, os.urandom(64)), edwards, message)


def test_a_signature_is_an_ed25519_signature_under_the_converted_key() -> None:
    pair = IdentityKeyPair.generate(RANDOM)
    signature = pair.sign(b"message", RANDOM)
    Ed25519PublicKey.from_public_bytes(pair.public.ed25519).verify(signature, b"message")


def test_a_flipped_bit_in_signature_message_or_key_is_refused() -> None:
    pair = IdentityKeyPair.generate(RANDOM)
    message = b"a message of some length"
    signature = pair.sign(message, RANDOM)
    pair.public.verify(message, signature)
    for part in range(3):
        original = (signature, message, pair.public.public)[part]
        for bit in range(8 * len(original)):
            altered = bytearray(original)
            altered[bit // 8] ^= 1 << bit % 8
            parts = [signature, message, pair.public.public]
            parts[part] = bytes(altered)
            with pytest.raises(InvalidSignature):
                IdentityKey(parts[2]).verify(parts[1], parts[0])


def test_a_signature_with_its_scalar_plus_the_group_order_is_refused() -> None:
    pair = IdentityKeyPair.generate(RANDOM)
    signature = pair.sign(b"message", RANDOM)
    larger = int.from_bytes(signature[32:], "little") + ORDER
    with pytest.raises(InvalidSignature):
        pair.public.verify(b"message", signature[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidSignature):
        IdentityKeyPair.generate(RANDOM).public.verify(b"message", bytes(length))


@pytest.mark.parametrize("u", [FIELD_PRIME, FIELD_PRIME - 1, FIELD_PRIME + 1, 2**255 - 1, 2**256 - 1])
def test_keys_without_an_edwards_point_are_not_identities(u: int) -> None:
    with pytest.raises(DecodeError):
        IdentityKey.decode(b"\x05" + u.to_bytes(32, "little"))


@pytest.mark.parametrize("u", [0, 1])
def test_keys_of_small_order_verify_nothing(u: int) -> None:
    key = IdentityKey(u.to_bytes(32, "little"))
    for signature in (bytes(64), b"\x01" + bytes(63)):
        with pytest.raises(InvalidSignature):
            key.verify(b"message", signature)


@given(st.binary(max_size=40))
def test_a_key_decodes_to_itself_or_is_a_decode_error(data: bytes) -> None:
    try:
        key = IdentityKey.decode(data)
    except DecodeError:
        return
    assert key.encode() == data


def test_the_stored_key_pair_is_that_of_the_golden_file() -> None:
    golden = bytes.fromhex(GOLDEN.read_text())
    assert IdentityKeyPair.generate(SeededRandomness(b"identity golden file")).serialize() == golden
    assert IdentityKeyPair.restore(golden).serialize() == golden


def test_a_newer_or_damaged_state_is_refused() -> None:
    state = IdentityKeyPair.generate(RANDOM).serialize()
    with pytest.raises(UnsupportedStateVersion):
        IdentityKeyPair.restore(b"\x02" + state[1:])
    for damaged in (b"", state[:-1], state + b"\x00", b"\x00" + state[1:]):
        with pytest.raises(DecodeError):
            IdentityKeyPair.restore(damaged)


def test_the_private_key_is_not_shown() -> None:
    pair = IdentityKeyPair.generate(RANDOM)
    private = pair.serialize()[1:]
    assert private.hex() not in repr(pair)
    assert repr(private) not in repr(pair) + str(pair)
