"""No input makes a decoder of `crypto` raise anything but its typed refusal."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.decoders import DECODERS, public_decoders

ROOT = Path(__file__).parents[2]
FUZZ_SECONDS = 5

LENGTHS = (b"\xff\xff\xff\xff", bytes(4), b"\x80\x00\x00\x00", b"\xbf\xff\xff\xff", b"\x3f")

every_decoder = pytest.mark.parametrize("name", DECODERS)


def test_every_decoder_of_the_package_is_fuzzed() -> None:
    assert public_decoders() <= set(DECODERS)


@every_decoder
def test_valid_input_decodes(name: str) -> None:
    for seed in DECODERS[name].seeds:
        DECODERS[name].decode(seed)


@pytest.mark.parametrize("name", [name for name, decoder in DECODERS.items() if not decoder.open_ended])
def test_no_prefix_and_no_extension_decodes_to_something_else(name: str) -> None:
    """Truncation is always noticed, and so is what follows the end."""
    decoder = DECODERS[name]
    for seed in decoder.seeds:
        for length in {*range(min(len(seed), 60)), *range(0, len(seed), max(1, len(seed) // 60))}:
            with pytest.raises(decoder.refusals):
                decoder.decode(seed[:length])
        with pytest.raises(decoder.refusals):
            decoder.decode(seed + b"\x00")


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A valid input with a few changes: bits, runs of bytes, lengths, repetitions, cuts."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("flip", "overwrite", "insert", "delete", "repeat"))):
            case "flip" if start < len(data):
                data[start] ^= 1 << draw(st.integers(0, 7))
            case "overwrite":
                patch = draw(
                    st.sampled_from((b"\xff" * 4, bytes(4), b"\x80\x00\x00\x00", b"\x3f", b"\xbf\xff\xff\xff"))
                )
                data[start : start + len(patch)] = patch
            case "insert":
                data[start:start] = draw(st.binary(max_size=40))
            case "delete":
                del data[start : start + draw(st.integers(1, 40))]
            case "repeat":
                data[start:start] = data[start : start + draw(st.integers(1, 400))]
    return bytes(data)


@every_decoder
def test_mutations_of_valid_input_are_refused_or_decoded(name: str) -> None:
    decoder = DECODERS[name]

    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(decoder.seeds) | st.binary(max_size=300))
    def check(data: bytes) -> None:
        with contextlib.suppress(*decoder.refusals):
            decoder.decode(data)

    check()


def test_coverage_guided_search_finds_no_other_exception(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.coverage_guided",
            str(tmp_path),
            f"-max_total_time={FUZZ_SECONDS}",
            "-max_len=8192",
            "-timeout=100",
            "-rss_limit_mb=2048",
            "-seed=1",
            f"-artifact_prefix={tmp_path}/",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert "Done" in done.stderr, "the fuzzer ended before its time"
