"""Attachments: own vectors, truncation, reordering, altered bytes, and what their size gives away."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.attachments import (
    AttachmentPointer,
    AttachmentReader,
    AttachmentRejected,
    AttachmentWriter,
    open_attachment,
    padded_length,
    seal_attachment,
)
from crypto.attachments.stream import CHUNK_LENGTH, StreamOpener, StreamSealer
from crypto.errors import DecodeError
from crypto.randomness import SeededRandomness, SystemRandomness

RANDOM = SystemRandomness()
VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "attachments" / "attachments-1.json").read_text())
SEALED = CHUNK_LENGTH + 16


class Draws:
    """The random bytes that a vector names, in order."""

    def __init__(self, *draws: bytes) -> None:
        self._draws = list(draws)

    def random_bytes(self, length: int) -> bytes:
        draw = self._draws.pop(0)
        assert len(draw) == length
        return draw


def repointed(pointer: AttachmentPointer, ciphertext: bytes) -> AttachmentPointer:
    """What a sender could say about another ciphertext: so that STREAM itself is tested, not the digest."""
    return AttachmentPointer(pointer.key, len(ciphertext), hashlib.sha256(ciphertext).digest())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["length"]))
def test_vectors(vector: dict[str, str | int]) -> None:
    """Fields: key, prefix, length of the content (byte i is i mod 251), size and SHA-256 of the ciphertext."""
    assert isinstance(vector["length"], int)
    content = bytes(i % 251 for i in range(vector["length"]))
    pointer, ciphertext = seal_attachment(
        content, Draws(bytes.fromhex(str(vector["key"])), bytes.fromhex(str(vector["prefix"])))
    )
    assert (pointer.size, pointer.digest.hex()) == (vector["size"], vector["digest"])
    assert hashlib.sha256(ciphertext).hexdigest() == vector["digest"]
    if "ciphertext" in vector:
        assert ciphertext.hex() == vector["ciphertext"]
    assert open_attachment(pointer, ciphertext) == content


def test_the_format_is_the_documented_one() -> None:
    """Put together by hand: two chunks, nonces prefix | index | last, the length in front, zeros behind."""
    key, prefix = bytes(range(32)), bytes(range(7))
    content = b"x" * CHUNK_LENGTH
    pointer, ciphertext = seal_attachment(content, Draws(key, prefix))
    total = padded_length(8 + len(content))
    padded = len(content).to_bytes(8, "big") + content + bytes(total - 8 - len(content))
    header = b"\x01" + prefix
    expected = header
    expected += AESGCM(key).encrypt(prefix + bytes(4) + b"\x00", padded[:CHUNK_LENGTH], header)
    expected += AESGCM(key).encrypt(prefix + b"\x00\x00\x00\x01\x01", padded[CHUNK_LENGTH:], header)
    assert ciphertext == expected
    assert pointer.key == key


@settings(max_examples=30, deadline=None)
@given(
    length=st.one_of(
        st.integers(0, 2000), st.sampled_from([CHUNK_LENGTH * n + d for n in (1, 2) for d in range(-17, 18)])
    ),
    pieces=st.lists(st.integers(1, 100_000), max_size=8),
)
def test_any_content_in_any_pieces_is_read_back(length: int, pieces: list[int]) -> None:
    content = SeededRandomness(b"content").random_bytes(length)
    writer = AttachmentWriter(length, RANDOM)
    ciphertext, start = b"", 0
    for piece in pieces:
        ciphertext += writer.write(content[start : start + piece])
        start = min(start + piece, length)
    ciphertext += writer.write(content[start:]) + writer.finish()
    pointer = writer.pointer()
    assert pointer.size == len(ciphertext)
    reader = AttachmentReader(AttachmentPointer.decode(pointer.encode()))
    read, start = b"", 0
    for piece in pieces:
        read += reader.feed(ciphertext[start : start + piece])
        start += piece
    read += reader.feed(ciphertext[start:]) + reader.finish()
    assert read == content


CONTENT = bytes(3 * CHUNK_LENGTH)
POINTER, CIPHERTEXT = seal_attachment(CONTENT, RANDOM)
CHUNKS = [CIPHERTEXT[8:][start : start + SEALED] for start in range(0, len(CIPHERTEXT) - 8, SEALED)]


def rejected(ciphertext: bytes) -> None:
    for pointer in (POINTER, repointed(POINTER, ciphertext)):
        with pytest.raises(AttachmentRejected):
            open_attachment(pointer, ciphertext)


def test_a_file_cut_at_a_chunk_is_rejected() -> None:
    assert len(CHUNKS) == 4
    for kept in range(4):
        rejected(CIPHERTEXT[:8] + b"".join(CHUNKS[:kept]))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 23, 24, 1000, len(CIPHERTEXT) - 1])
def test_a_file_cut_anywhere_is_rejected(length: int) -> None:
    rejected(CIPHERTEXT[:length])


def test_reordered_repeated_dropped_and_added_chunks_are_rejected() -> None:
    a, b, c, d = CHUNKS
    for chunks in ([b, a, c, d], [a, a, c, d], [a, c, d], [a, b, b, c, d], [b, c, d], [a, b, c, c, d], [d]):
        rejected(CIPHERTEXT[:8] + b"".join(chunks))
    rejected(CIPHERTEXT + b"\x00")
    rejected(CIPHERTEXT + d)
    rejected(CIPHERTEXT + bytes(SEALED))


def test_chunks_of_another_file_under_the_same_key_are_rejected() -> None:
    other_pointer, other = seal_attachment(CONTENT, Draws(POINTER.key, bytes(7)))
    assert other_pointer.key == POINTER.key
    rejected(CIPHERTEXT[:8] + CHUNKS[0] + other[8 + SEALED :])


def test_every_flipped_bit_of_a_small_file_is_rejected() -> None:
    pointer, ciphertext = seal_attachment(b"a photo", RANDOM)
    for index in range(len(ciphertext)):
        altered = bytearray(ciphertext)
        altered[index] ^= 1 << index % 8
        for candidate in (pointer, repointed(pointer, bytes(altered))):
            with pytest.raises(AttachmentRejected):
                open_attachment(candidate, bytes(altered))


def test_another_key_or_digest_is_rejected() -> None:
    pointer, ciphertext = seal_attachment(b"a photo", RANDOM)
    for other in (
        AttachmentPointer(bytes(32), pointer.size, pointer.digest),
        AttachmentPointer(pointer.key, pointer.size, bytes(32)),
        AttachmentPointer(pointer.key, pointer.size + 1, pointer.digest),
        AttachmentPointer(pointer.key, pointer.size - 1, pointer.digest),
    ):
        with pytest.raises(AttachmentRejected):
            open_attachment(other, ciphertext)


def test_a_reader_stops_at_the_announced_size() -> None:
    reader = AttachmentReader(POINTER)
    reader.feed(CIPHERTEXT)
    with pytest.raises(AttachmentRejected):
        reader.feed(b"\x00")


@pytest.mark.parametrize("length", [10, 2**64 - 1])
def test_a_length_that_contradicts_the_padding_is_rejected(length: int) -> None:
    key, header = bytes(32), b"\x01" + bytes(7)
    sealer = StreamSealer(key, header[1:], header)
    ciphertext = header + sealer.update(length.to_bytes(8, "big") + bytes(1000)) + sealer.finish()
    with pytest.raises(AttachmentRejected):
        open_attachment(repointed(AttachmentPointer(key, 0, bytes(32)), ciphertext), ciphertext)


def test_an_empty_last_chunk_after_others_is_rejected() -> None:
    """STREAM has one encoding of a text: otherwise an empty final chunk could be added or taken away."""
    opener = StreamOpener(bytes(32), bytes(7), b"")
    aead = AESGCM(bytes(32))
    opener.update(aead.encrypt(bytes(12), bytes(CHUNK_LENGTH), b""))
    opener.update(aead.encrypt(bytes(10) + b"\x01\x01", b"", b""))
    with pytest.raises(AttachmentRejected):
        opener.finish()


def test_less_or_more_content_than_announced_is_an_error_of_the_caller() -> None:
    writer = AttachmentWriter(5, RANDOM)
    with pytest.raises(ValueError, match="more"):
        writer.write(bytes(6))
    writer.write(bytes(4))
    with pytest.raises(ValueError, match="less"):
        writer.finish()


@given(st.integers(0, 2**50))
def test_padding_hides_the_length_and_costs_less_than_twelve_percent(length: int) -> None:
    padded = padded_length(length)
    assert padded >= max(length, 512)
    assert padded <= max(512, length * 1.12)
    assert padded_length(padded) == padded
    kept_bits = padded.bit_length() - ((padded & -padded).bit_length() - 1)
    assert kept_bits <= 1 + padded.bit_length().bit_length()


def test_small_files_all_have_one_size() -> None:
    sizes = {seal_attachment(bytes(length), RANDOM)[0].size for length in (0, 1, 100, 504)}
    assert len(sizes) == 1


@given(st.binary(max_size=80))
def test_a_pointer_decodes_to_itself_or_is_a_decode_error(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        try:
            pointer = AttachmentPointer.decode(candidate)
        except DecodeError:
            continue
        assert pointer.encode() == candidate


def test_the_key_is_not_shown() -> None:
    assert repr(POINTER.key) not in repr(POINTER)
