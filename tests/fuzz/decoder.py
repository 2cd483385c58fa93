"""One entry of the table: a function that reads bytes of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crypto.errors import CryptoError, DecodeError, UnsupportedStateVersion
from crypto.randomness import SeededRandomness

RNG = SeededRandomness(b"fuzz seeds")


@dataclass(frozen=True, slots=True)
class Decoder:
    """`open_ended`: the input's tail is opaque, so a shorter one is valid, too."""

    decode: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[CryptoError], ...] = (DecodeError, UnsupportedStateVersion)
    open_ended: bool = False
