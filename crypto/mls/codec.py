"""The TLS presentation language as MLS uses it (RFC 9420 section 2.1).

Encoders are plain functions from values to ``bytes``. Decoding goes through one :class:`Reader`; whatever is wrong
with the input, the only error is ``crypto.errors.DecodeError``. The encoding is canonical (shortest length headers,
presence octets of 0 or 1), so a decoded object encodes to the bytes it came from.
"""

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

from crypto.errors import DecodeError
from crypto.mls.errors import InvalidInput

T = TypeVar("T")

MAX_VECTOR = (1 << 30) - 1
"""Longest variable-size vector, in bytes (section 2.1.2: thirty bits of length)."""


class Reader:
    """A cursor over ``data``; every read checks the bounds."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)

    @property
    def position(self) -> int:
        """Offset of the next byte, to take a slice of the input later with :meth:`since`."""
        return self._position

    def since(self, start: int) -> bytes:
        """The bytes read since ``start``."""
        return self._data[start : self._position]

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        start = self._position
        stop = start + length
        if stop > self._end:
            raise DecodeError("truncated input")
        self._position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        position = self._position
        if position >= self._end:
            raise DecodeError("truncated input")
        self._position = position + 1
        return self._data[position]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def length(self) -> int:
        """A variable-size length header in its only allowed, shortest form (section 2.1.2)."""
        first = self.u8()
        if first < 0x40:
            return first
        if first < 0x80:
            value = (first & 0x3F) << 8 | self.u8()
            if value < 0x40:
                raise DecodeError("length header is not minimal")
            return value
        if first < 0xC0:
            value = (first & 0x3F) << 24 | int.from_bytes(self.take(3), "big")
            if value < 0x4000:
                raise DecodeError("length header is not minimal")
            return value
        raise DecodeError("invalid length header")

    def opaque(self) -> bytes:
        """``opaque value<V>``."""
        return self.take(self.length())

    def fixed(self, *sizes: int) -> bytes:
        """``opaque value<V>`` where the specification knows the length: one of ``sizes``, in bytes."""
        value = self.opaque()
        if len(value) not in sizes:
            raise DecodeError("a field has the wrong length")
        return value

    def vector(self, decode: Callable[["Reader"], T]) -> tuple[T, ...]:
        """``T values<V>``: the items must fill the vector exactly."""
        length = self.length()
        outer, stop = self._end, self._position + length
        if stop > outer:
            raise DecodeError("truncated input")
        self._end = stop
        items = []
        while self._position < stop:
            items.append(decode(self))
        self._end = outer
        return tuple(items)

    def u16s(self) -> tuple[int, ...]:
        """``uint16 values<V>``."""
        data = self.opaque()
        if len(data) % 2:
            raise DecodeError("truncated input")
        return struct.unpack(f">{len(data) // 2}H", data)

    def optional(self, decode: Callable[["Reader"], T]) -> T | None:
        """``optional<T>`` (section 2.1.1)."""
        present = self.u8()
        if present == 0:
            return None
        if present == 1:
            return decode(self)
        raise DecodeError("invalid presence octet")

    def rest(self) -> bytes:
        """All bytes that remain."""
        return self.take(self._end - self._position)

    def finish(self) -> None:
        """Refuse trailing bytes."""
        if self._position != self._end:
            raise DecodeError("trailing bytes")


def decode_exactly(data: bytes, decode: Callable[[Reader], T]) -> T:
    """Decode one object that must span all of ``data``."""
    reader = Reader(data)
    value = decode(reader)
    reader.finish()
    return value


def u8(value: int) -> bytes:
    return _uint(value, 1)


def u16(value: int) -> bytes:
    return _uint(value, 2)


def u32(value: int) -> bytes:
    return _uint(value, 4)


def u64(value: int) -> bytes:
    return _uint(value, 8)


def _uint(value: int, size: int) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise InvalidInput(f"not an unsigned integer of {size} bytes") from None


def length_header(length: int) -> bytes:
    """The shortest header for a vector of ``length`` bytes (section 2.1.2)."""
    if length < 0x40:
        return length.to_bytes(1, "big")
    if length < 0x4000:
        return (0x4000 | length).to_bytes(2, "big")
    if length <= MAX_VECTOR:
        return (0x8000_0000 | length).to_bytes(4, "big")
    raise InvalidInput("vector is longer than 2^30 - 1 bytes")


def opaque(value: bytes) -> bytes:
    """``opaque value<V>``."""
    return length_header(len(value)) + value


def vector(items: Iterable[bytes]) -> bytes:
    """``T values<V>`` from already encoded items."""
    return opaque(b"".join(items))


def optional(value: bytes | None) -> bytes:
    """``optional<T>`` from an already encoded value."""
    return b"\x00" if value is None else b"\x01" + value
