"""Where the fragments of a fragmented MP4 file (ISO/IEC 14496-12) are, for playlists with byte ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

_HEADER = 8
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_DATA_OFFSET, _FIRST_SAMPLE_FLAGS = 0x1, 0x4
_DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x100, 0x200, 0x400, 0x800
_DEFAULT_DURATION, _DEFAULT_SIZE = 0x8, 0x10


class BadFile(ValueError):
    """Not a fragmented MP4 file with one track, as ffmpeg writes it."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment: bytes of the file, of which the first `key_size` hold the key frame it begins with."""

    offset: int
    size: int
    key_size: int
    decode_time: int
    """Of its first sample, in ticks of the track's timescale."""
    samples: int
    duration: int
    """In ticks."""


@dataclass(frozen=True, slots=True)
class FragmentedFile:
    """A file: what initialises a decoder (its first `head` bytes), and its fragments."""

    head: int
    head_digest: str
    """SHA-256: files with equal heads can be played one after the other without another initialisation."""
    codec: str
    """As RFC 6381 writes it."""
    timescale: int
    fragments: tuple[Fragment, ...]
    size: int

    @property
    def samples(self) -> int:
        return sum(fragment.samples for fragment in self.fragments)


def parse_file(data: bytes) -> FragmentedFile:
    """Returns where the parts of a file are. Raises BadFile."""
    try:
        return _parse(data)
    except (IndexError, KeyError, StopIteration) as error:
        raise BadFile(repr(error)) from error


def _parse(data: bytes) -> FragmentedFile:
    top = list(_boxes(data, 0, len(data)))
    moofs = [number for number, (kind, _, _) in enumerate(top) if kind == b"moof"]
    if not moofs or moofs[0] == 0:
        raise BadFile("no fragments")
    head = top[moofs[0]][1] - _HEADER
    moov = {kind: (start, end) for kind, start, end in _walk(data, 0, head)}
    fragments = []
    for number in moofs:
        if top[number + 1][0] != b"mdat":
            raise BadFile("a fragment without data")
        fragments.append(_fragment(data, top[number], top[number + 1]))
    timescale_at = moov[b"mdhd"][0] + (20 if data[moov[b"mdhd"][0]] else 12)
    timescale = int.from_bytes(data[timescale_at : timescale_at + 4], "big")
    digest = sha256(data[:head]).hexdigest()
    return FragmentedFile(head, digest, _codec(data, moov), timescale, tuple(fragments), len(data))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the boxes between two offsets: type, and where its content begins and ends."""
    at = start
    while at < end:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < _HEADER or at + size > end:
            raise BadFile(f"a box of {size} bytes at {at}")
        yield data[at + 4 : at + 8], at + _HEADER, at + size
        at += size


def _walk(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for kind, begins, ends in _boxes(data, start, end):
        yield kind, begins, ends
        if kind in _CONTAINERS:
            yield from _walk(data, begins, ends)


def _fragment(data: bytes, moof: tuple[bytes, int, int], mdat: tuple[bytes, int, int]) -> Fragment:
    inner = {kind: (start, end) for kind, start, end in _walk(data, moof[1], moof[2])}
    tfdt, tfhd, (trun, trun_end) = inner[b"tfdt"][0], inner[b"tfhd"][0], inner[b"trun"]
    decode_time = int.from_bytes(data[tfdt + 4 : tfdt + (12 if data[tfdt] else 8)], "big")
    default_duration, default_size = _defaults(data, tfhd)
    flags = int.from_bytes(data[trun + 1 : trun + 4], "big")
    samples = int.from_bytes(data[trun + 4 : trun + 8], "big")
    at = trun + 8 + 4 * bool(flags & _DATA_OFFSET) + 4 * bool(flags & _FIRST_SAMPLE_FLAGS)
    width = 4 * sum(bool(flags & field) for field in (_DURATION, _SIZE, _FLAGS, _COMPOSITION))
    if samples < 1:
        raise BadFile("an empty fragment")
    if at + width * samples > trun_end:  # up to 2^32 are announced
        raise BadFile(f"a fragment of {samples} samples that describes fewer")
    duration = default_duration * samples
    if flags & _DURATION:
        duration = sum(int.from_bytes(data[at + width * n : at + width * n + 4], "big") for n in range(samples))
    size_at = at + 4 * bool(flags & _DURATION)
    first_size = int.from_bytes(data[size_at : size_at + 4], "big") if flags & _SIZE else default_size
    offset = moof[1] - _HEADER
    key_size = mdat[1] + first_size - offset
    return Fragment(offset, mdat[2] - offset, key_size, decode_time, samples, duration)


def _defaults(data: bytes, tfhd: int) -> tuple[int, int]:
    """Returns the duration and size that samples have where nothing else is said."""
    flags = int.from_bytes(data[tfhd + 1 : tfhd + 4], "big")
    at = tfhd + 8 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
    duration = size = 0
    if flags & _DEFAULT_DURATION:
        duration, at = int.from_bytes(data[at : at + 4], "big"), at + 4
    if flags & _DEFAULT_SIZE:
        size = int.from_bytes(data[at : at + 4], "big")
    return duration, size


_SAMPLE_ENTRY_OF_VIDEO = 78
"""Bytes of a sample entry before the boxes within it."""


def _codec(data: bytes, moov: dict[bytes, tuple[int, int]]) -> str:
    start, end = moov[b"stsd"]
    entry, begins, ends = next(_boxes(data, start + 8, end))
    if entry == b"mp4a":
        return "mp4a.40.2"  # AAC-LC, which is what we encode
    if entry != b"avc1":
        raise BadFile(f"a track of {entry!r}")
    inner = {kind: at for kind, at, _ in _boxes(data, begins + _SAMPLE_ENTRY_OF_VIDEO, ends)}
    profile = inner[b"avcC"] + 1
    return f"avc1.{data[profile : profile + 3].hex()}"
