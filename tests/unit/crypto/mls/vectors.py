"""The working group's vectors: loaded when first needed, one pytest id per case."""

import json
import lzma
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from crypto.mls.cipher_suite import CipherSuite, SuiteCrypto, suite_crypto

FOLDER = Path(__file__).parents[3] / "vectors" / "mls"
INDEX: dict[str, list[int]] = json.loads((FOLDER / "index.json").read_text())

Case = dict[str, Any]


@cache
def load(name: str) -> list[Case]:
    """All cases of a file."""
    cases: list[Case] = json.loads(lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes()))
    return cases


def each_case(name: str) -> Callable[[Any], Any]:
    """Run a test once per case of a file; it gets the case through the ``vector`` fixture."""
    ids = [f"{name}-{f'suite{suite}-' if suite else ''}{i}" for i, suite in enumerate(INDEX[name])]
    values = [(name, i) for i in range(len(ids))]
    return pytest.mark.parametrize("vector", values, ids=ids, indirect=True)


def crypto_of(case: Case) -> SuiteCrypto:
    return suite_crypto(CipherSuite(case["cipher_suite"]))


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)
