"""Reading and writing the fixed binary layouts of this package (MLS has the codec of its own specification).

Integers are big-endian and unsigned. A *block* is a 4-byte length followed by that many bytes.
"""

from crypto.errors import DecodeError, UnsupportedStateVersion

MAX_BLOCK = 1 << 26  # 64 MiB: no single field of this package is larger


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def block(data: bytes) -> bytes:
    """``data`` with its 4-byte length in front."""
    return len(data).to_bytes(4, "big") + data


def text(value: str, limit: int) -> bytes:
    """``value`` as a block of UTF-8. Raises ``ValueError`` for more than ``limit`` bytes, which no reader takes."""
    encoded = value.encode()
    if len(encoded) > limit:
        raise ValueError(f"longer than {limit} bytes")
    return block(encoded)


def require_length(what: str, field: bytes, length: int) -> None:
    """Raise ``DecodeError`` unless ``field`` has exactly ``length`` bytes.

    Fields of fixed size are joined without lengths, so one of another size would move the boundary to the next.
    Structures check their own fields with this, since not all of them come out of a ``Reader``.
    """
    if len(field) != length:
        raise DecodeError(f"{what} does not have {length} bytes")


class Reader:
    """Takes fields off the front of ``data``; every method raises only ``DecodeError``."""

    __slots__ = ("_data", "_offset", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        """``what`` names the structure in error messages; ``data`` itself never appears there."""
        self._data = data
        self._offset = 0
        self._what = what

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        end = self._offset + length
        if end > len(self._data):
            raise DecodeError(f"{self._what}: truncated")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def integer(self, length: int) -> int:
        """An unsigned big-endian integer of ``length`` bytes."""
        return int.from_bytes(self.take(length), "big")

    def flag(self) -> bool:
        """One byte, 0 or 1."""
        value = self.integer(1)
        if value > 1:
            raise DecodeError(f"{self._what}: a flag is neither 0 nor 1")
        return value == 1

    def block(self, limit: int = MAX_BLOCK) -> bytes:
        """A length-prefixed field of at most ``limit`` bytes."""
        length = self.integer(4)
        if length > limit:
            raise DecodeError(f"{self._what}: a field is longer than {limit} bytes")
        return self.take(length)

    def optional_block(self, length: int) -> bytes:
        """A length-prefixed field that is empty or has exactly ``length`` bytes."""
        taken = self.block(length)
        if len(taken) not in (0, length):
            raise DecodeError(f"{self._what}: a field has neither 0 nor {length} bytes")
        return taken

    def text(self, limit: int) -> str:
        """A length-prefixed UTF-8 string of at most ``limit`` bytes."""
        try:
            return self.block(limit).decode()
        except UnicodeDecodeError:
            raise DecodeError(f"{self._what}: not UTF-8") from None

    def count(self, limit: int) -> int:
        """A 4-byte number of elements, at most ``limit``."""
        count = self.integer(4)
        if count > limit:
            raise DecodeError(f"{self._what}: more than {limit} elements")
        return count

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data) - self._offset)

    def state_version(self, supported: int) -> int:
        """The leading version byte of a stored state, 1..``supported``.

        Raises ``UnsupportedStateVersion`` for a newer one: data of the future must not be misread.
        """
        version = self.integer(1)
        if version > supported:
            raise UnsupportedStateVersion(self._what, version, supported)
        if version == 0:
            raise DecodeError(f"{self._what}: state version 0 does not exist")
        return version

    def format_version(self, expected: int) -> None:
        """The leading version byte of something that others sent; another one is a ``DecodeError``."""
        if self.integer(1) != expected:
            raise DecodeError(f"{self._what}: unknown version")

    def finish(self) -> None:
        """Require that nothing is left over."""
        if self._offset != len(self._data):
            raise DecodeError(f"{self._what}: trailing bytes")
