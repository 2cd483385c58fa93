"""The group ristretto255 (RFC 9496), by libsodium through ``rbcl``: PyNaCl does not export it.

An element has 32 bytes and one encoding. The identity is no element here, as RFC 9497 §2.1 asks of inputs and
outputs of an OPRF. Scalars have 32 bytes, little-endian and reduced; arithmetic on them is PyNaCl's.
"""

import contextlib
import importlib
import os
from functools import cache
from types import ModuleType

from crypto.errors import DecodeError

ELEMENT_LENGTH = 32
SCALAR_LENGTH = 32
UNIFORM_LENGTH = 64

_IDENTITY = bytes(ELEMENT_LENGTH)


@cache
def _sodium() -> ModuleType:
    """``rbcl``, loaded when it is first needed: that takes half a second.

    The package writes its copy of libsodium to a temporary file of 2.8 MB, loads it and leaves it there, for each
    process anew. The file is not needed once it is loaded. See docs/decisions/crypto-ristretto255.md.
    """
    rbcl = importlib.import_module("rbcl")
    with contextlib.suppress(OSError):  # Windows does not delete a library that is in use
        os.unlink(importlib.import_module("rbcl._sodium").lib_path)
    return rbcl


def require_element(element: bytes) -> None:
    """Raise ``DecodeError`` unless ``element`` is the encoding of an element other than the identity."""
    if (
        len(element) != ELEMENT_LENGTH
        or element == _IDENTITY
        or not _sodium().crypto_core_ristretto255_is_valid_point(element)
    ):
        raise DecodeError("not a ristretto255 element")


def from_uniform(data: bytes) -> bytes:
    """The element (32 bytes) of 64 uniform bytes (§4.3.4)."""
    if len(data) != UNIFORM_LENGTH:
        raise ValueError("needs 64 bytes")
    element: bytes = _sodium().crypto_core_ristretto255_from_hash(data)
    return element


def multiply(scalar: bytes, element: bytes) -> bytes:
    """``scalar`` (not 0) times ``element``.

    Raises ``DecodeError`` for anything that is not an element, or is the identity.
    """
    require_element(element)
    try:
        product: bytes = _sodium().crypto_scalarmult_ristretto255(scalar, element)
    except RuntimeError:
        raise DecodeError("the product is the identity") from None
    return product


def add(one: bytes, other: bytes) -> bytes:
    """The sum of two elements. Raises ``DecodeError`` for anything that is no element, also for the sum."""
    require_element(one)
    require_element(other)
    total: bytes = _sodium().crypto_core_ristretto255_add(one, other)
    if total == _IDENTITY:
        raise DecodeError("the sum is the identity")
    return total
