"""The Merkle tree hash (RFC 6962 §2.1) with SHA-256; hashes have 32 bytes."""

import hashlib

HASH_LENGTH = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """MTH of one entry: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_point(size: int) -> int:
    """The largest power of two that is smaller than ``size`` (> 1)."""
    return 1 << ((size - 1).bit_length() - 1)
