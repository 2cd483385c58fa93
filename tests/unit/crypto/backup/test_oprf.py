"""ristretto255 against RFC 9496's vectors (appendix A), the OPRF against RFC 9497's (appendix A.1.1)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import nacl.bindings as sodium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.backup import oprf, ristretto255
from crypto.errors import DecodeError
from crypto.randomness import SystemRandomness

RANDOM = SystemRandomness()
FOLDER = Path(__file__).parents[3] / "vectors" / "backup"
GROUP: dict[str, Any] = json.loads((FOLDER / "rfc9496-ristretto255.json").read_text())
OPRF: dict[str, Any] = json.loads((FOLDER / "rfc9497-oprf-ristretto255-sha512.json").read_text())

GENERATOR = bytes.fromhex(GROUP["multiples_of_the_generator"][0])
SCALARS = st.binary(min_size=64, max_size=64).map(sodium.crypto_core_ed25519_scalar_reduce)


class Blind:
    """A randomness whose 64 bytes reduce to the given scalar."""

    def __init__(self, scalar: bytes) -> None:
        self._scalar = scalar

    def random_bytes(self, length: int) -> bytes:
        assert length == 64
        return self._scalar + bytes(32)


@pytest.mark.parametrize(("factor", "expected"), list(enumerate(GROUP["multiples_of_the_generator"], start=1)))
def test_multiples_of_the_generator(factor: int, expected: str) -> None:
    assert ristretto255.multiply(factor.to_bytes(32, "little"), GENERATOR).hex() == expected


@pytest.mark.parametrize("encoding", GROUP["invalid_encodings"])
def test_invalid_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(DecodeError):
        ristretto255.multiply((2).to_bytes(32, "little"), bytes.fromhex(encoding))


def test_the_identity_is_refused() -> None:
    with pytest.raises(DecodeError):
        ristretto255.multiply((2).to_bytes(32, "little"), bytes(32))


@pytest.mark.parametrize("case", GROUP["sha512_of_a_text_to_element"], ids=lambda case: case["text"][:9])
def test_hashing_to_the_group(case: dict[str, str]) -> None:
    digest = hashlib.sha512(case["text"].encode()).digest()
    assert ristretto255.from_uniform(digest).hex() == case["element"]


@settings(max_examples=20, deadline=None)
@given(SCALARS, SCALARS, st.binary(min_size=64, max_size=64))
def test_multiplication_commutes_and_is_undone_by_the_inverse(a: bytes, b: bytes, uniform: bytes) -> None:
    if bytes(32) in (a, b):
        return
    element = ristretto255.from_uniform(uniform)
    ab = ristretto255.multiply(a, ristretto255.multiply(b, element))
    assert ab == ristretto255.multiply(b, ristretto255.multiply(a, element))
    assert ristretto255.multiply(sodium.crypto_core_ed25519_scalar_mul(a, b), element) == ab
    inverse = sodium.crypto_core_ed25519_scalar_invert(a)
    assert ristretto255.multiply(inverse, ristretto255.multiply(a, element)) == element


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=33))
def test_any_bytes_are_an_element_or_a_decode_error(data: bytes) -> None:
    one = (1).to_bytes(32, "little")
    try:
        again = ristretto255.multiply(one, data)
    except DecodeError:
        return
    assert again == data, "an element has one encoding"


def test_the_key_of_a_seed() -> None:
    seed, info = bytes.fromhex(OPRF["seed"]), bytes.fromhex(OPRF["key_info"])
    assert oprf.derive_key(seed, info).hex() == OPRF["key"]


@pytest.mark.parametrize("case", OPRF["cases"], ids=lambda case: case["input"][:4])
def test_the_oprf(case: dict[str, str]) -> None:
    blinded = oprf.blind(bytes.fromhex(case["input"]), Blind(bytes.fromhex(case["blind"])))
    assert blinded.element.hex() == case["blinded"]
    evaluated = oprf.evaluate(bytes.fromhex(OPRF["key"]), blinded.element)
    assert evaluated.hex() == case["evaluated"]
    assert blinded.finalize(evaluated).hex() == case["output"]


def test_the_output_depends_on_key_and_input_and_not_on_the_blind() -> None:
    keys = [oprf.random_scalar(RANDOM) for _ in range(2)]

    def output(key: bytes, data: bytes) -> bytes:
        blinded = oprf.blind(data, RANDOM)
        return blinded.finalize(oprf.evaluate(key, blinded.element))

    assert output(keys[0], b"1234") == output(keys[0], b"1234")
    assert len({output(key, data) for key in keys for data in (b"1234", b"1235")}) == 4


def test_an_input_that_is_too_long_is_refused() -> None:
    oprf.blind(bytes(65_535), RANDOM)
    with pytest.raises(oprf.InvalidInput):
        oprf.blind(bytes(65_536), RANDOM)


def test_input_and_blind_are_not_shown() -> None:
    blinded = oprf.blind(b"a secret pin", RANDOM)
    assert "a secret pin" not in repr(blinded)
    assert repr(blinded.blind) not in repr(blinded)
