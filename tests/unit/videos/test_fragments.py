"""Where the parts of a fragmented MP4 file are."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.videos.fragments import BadFile, Fragment, parse_file


def box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def full(kind: str, version: int, flags: int, *content: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def head(entry: bytes, timescale: int = 30000) -> bytes:
    mdhd = full("mdhd", 0, 0, struct.pack(">IIII", 0, 0, timescale, 0), bytes(4))
    stsd = full("stsd", 0, 0, struct.pack(">I", 1), entry)
    minf = box("minf", box("stbl", stsd))
    return box("ftyp", b"iso5") + box("moov", box("trak", box("mdia", mdhd, minf)))


AVC = box("avc1", bytes(78), box("avcC", bytes([1, 0x64, 0, 0x1F]) + b"rest"))
AAC = box("mp4a", bytes(28))


def fragment(sizes: list[int], durations: list[int], decode_time: int) -> bytes:
    samples = b"".join(struct.pack(">II", duration, size) for duration, size in zip(durations, sizes, strict=True))
    trun = full("trun", 0, 0x305, struct.pack(">IiI", len(sizes), 0, 0), samples)
    tfdt = full("tfdt", 1, 0, struct.pack(">Q", decode_time))
    tfhd = full("tfhd", 0, 0x20038, struct.pack(">IIII", 1, 1001, 7, 0))
    return box("moof", box("traf", tfhd, tfdt, trun)) + box("mdat", bytes(sum(sizes)))


def test_a_file_of_video() -> None:
    begin, first = head(AVC), fragment([100, 20, 30], [1001, 1001, 1002], 5)
    second = fragment([90], [1001], 3009)
    found = parse_file(begin + first + second)
    assert (found.codec, found.timescale, found.head) == ("avc1.64001f", 30000, len(begin))
    assert found.fragments == (
        Fragment(len(begin), len(first), len(first) - 50, 5, 3, 3004),
        Fragment(len(begin) + len(first), len(second), len(second), 3009, 1, 1001),
    )
    assert (found.samples, found.size) == (4, len(begin) + len(first) + len(second))


def test_a_file_of_audio_whose_samples_have_the_default_duration() -> None:
    tfhd = full("tfhd", 0, 0x20018, struct.pack(">III", 1, 1024, 50))
    trun = full("trun", 0, 0x1, struct.pack(">Ii", 10, 0))
    tfdt = full("tfdt", 0, 0, struct.pack(">I", 46976))
    data = box("moof", box("traf", tfhd, tfdt, trun)) + box("mdat", bytes(500))
    found = parse_file(head(AAC, 48000) + data)
    assert found.codec == "mp4a.40.2"
    assert found.fragments == (Fragment(found.head, len(data), len(data) - 450, 46976, 10, 10240),)


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", head(AVC), box("moof") + box("mdat"), head(box("hvc1", bytes(80))) + fragment([1], [1], 0)],
)
def test_what_is_no_such_file(data: bytes) -> None:
    with pytest.raises(BadFile):
        parse_file(data)


def test_a_fragment_that_announces_more_samples_than_it_describes_is_refused_at_once() -> None:
    whole = fragment([10, 20], [1, 1], 0)
    count = whole.index(struct.pack(">I", 2), whole.index(b"trun") + 8)
    announced = whole[:count] + b"\xff\xff\xff\xff" + whole[count + 4 :]
    with pytest.raises(BadFile, match="4294967295 samples"):
        parse_file(head(AVC) + announced)


@given(st.integers(0, 400), st.integers(0, 255))
def test_damaged_files_are_refused_or_read(at: int, value: int) -> None:
    data = bytearray(head(AVC) + fragment([10, 20], [1, 1], 0))
    data[at % len(data)] = value
    with contextlib.suppress(BadFile):
        parse_file(bytes(data))
