"""The VRF against RFC 9381's vectors (appendix B.3), and proofs that must not verify."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.directory import vrf
from crypto.errors import DecodeError
from crypto.transparency import ProofInvalid

FOLDER = Path(__file__).parents[3] / "vectors" / "directory"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "rfc9381-ecvrf-edwards25519-sha512-tai.json").read_text())["cases"]
SEED = bytes(range(32))
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["alpha"] or "empty")
def test_the_vectors_of_the_rfc(case: dict[str, str]) -> None:
    values = {name: bytes.fromhex(value) for name, value in case.items()}
    assert vrf.public_key(values["seed"]) == values["public"]
    assert vrf._encode_to_curve(values["public"], values["alpha"]) == values["point"]
    assert vrf.prove(values["seed"], values["alpha"]) == values["proof"]
    assert vrf.output(values["proof"]) == values["output"]
    assert vrf.verify(values["public"], values["alpha"], values["proof"]) == values["output"]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_proof_is_for_one_input(alpha: bytes, other: bytes) -> None:
    proof = vrf.prove(SEED, alpha)
    assert vrf.verify(vrf.public_key(SEED), alpha, proof) == vrf.output(proof)
    if other != alpha:
        with pytest.raises(ProofInvalid):
            vrf.verify(vrf.public_key(SEED), other, proof)


def test_every_altered_byte_another_key_and_other_lengths_are_refused() -> None:
    public, proof = vrf.public_key(SEED), vrf.prove(SEED, b"ada")
    for index in range(80):
        altered = bytearray(proof)
        altered[index] ^= 1 << index % 8
        with pytest.raises(ProofInvalid):
            vrf.verify(public, b"ada", bytes(altered))
    s = int.from_bytes(proof[48:], "little") + ORDER
    for key, wrong in (
        (vrf.public_key(bytes(32)), proof),
        (public, proof[:-1]),
        (public, proof + b"\x00"),
        (public[:-1], proof),
        (public, proof[:48] + s.to_bytes(32, "little")),  # the same scalar, not reduced
        (public, proof[:48] + bytes(32)),
        ((1).to_bytes(32, "little"), proof),  # keys of small order
        (bytes(32), proof),
    ):
        with pytest.raises(ProofInvalid):
            vrf.verify(key, b"ada", wrong)
    with pytest.raises(DecodeError):
        vrf.prove(b"short", b"ada")
