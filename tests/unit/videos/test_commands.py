"""Command lines: what keeps hostile files in, and rungs aligned. tests/integration/videos/ runs them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from features.videos import commands
from features.videos.ladder import ladder
from features.videos.model import Chunk, Source
from features.videos.policy import VideoPolicy
from features.videos.storyboard import Storyboard
from features.videos.timeline import Timeline

POLICY = VideoPolicy()
FILE, OUT = Path("/in/source"), Path("/out/file")
SOURCE = Source(0, 1, 1920, 1080, Fraction("0.5"), Fraction(30000, 1001), 1000, False, False)
TIMELINE = Timeline.of(SOURCE, POLICY)
RUNGS = ladder(SOURCE, POLICY)
CHUNK = commands.encode_chunk(FILE, SOURCE, TIMELINE, Chunk(240, 480), [(rung, OUT) for rung in RUNGS])
ALL = [
    commands.probe_streams(FILE),
    commands.probe_packets(FILE, 0),
    CHUNK,
    commands.encode_audio(FILE, SOURCE, POLICY, OUT),
    commands.draw_poster(FILE, SOURCE, Fraction(1), RUNGS[0], OUT),
    commands.draw_storyboard(FILE, SOURCE, Storyboard.of(SOURCE, POLICY), OUT),
]


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


@pytest.mark.parametrize("command", ALL, ids=lambda command: command[0] + command[-1])
def test_no_file_can_open_another_one_or_the_network(command: list[str]) -> None:
    source = command.index(str(FILE))
    assert value(command, "-protocol_whitelist") == "file"
    assert command.index("-protocol_whitelist") < source
    assert "concat" not in value(command, "-format_whitelist").split(",")
    assert "hls" not in value(command, "-format_whitelist").split(",")
    assert command.index("-format_whitelist") < source


@pytest.mark.parametrize("command", ALL[2:], ids=lambda command: command[-2])
def test_no_metadata_are_kept(command: list[str]) -> None:
    assert value(command, "-map_metadata") == "-1"
    assert value(command, "-map_chapters") == "-1"


def test_all_rungs_have_key_frames_at_the_same_frames() -> None:
    assert CHUNK.count("-g") == len(RUNGS)
    for option, expected in {
        "-g": "60",
        "-keyint_min": "60",
        "-sc_threshold": "0",
        "-frames:v": "240",
        "-video_track_timescale": "30000",
        "-output_ts_offset": "1",
    }.items():
        assert [CHUNK[at + 1] for at, each in enumerate(CHUNK) if each == option] == [expected] * len(RUNGS)


def test_a_chunk_begins_at_its_first_frame() -> None:
    graph = value(CHUNK, "-filter_complex")
    assert "setpts=PTS-0.500000/TB,fps=30000/1001:start_time=8.008000," in graph
    assert value(CHUNK, "-ss") == "7.508000"
    source = replace(SOURCE, key_frames=((240, Fraction("8.008")),))
    of_key_frame = commands.encode_chunk(FILE, source, TIMELINE, Chunk(240, 480), [(RUNGS[0], OUT)])
    assert value(of_key_frame, "-ss") == "8.008001"
    first = commands.encode_chunk(FILE, SOURCE, TIMELINE, Chunk(0, 240), [(RUNGS[0], OUT)])
    assert value(first, "-ss") == "0.000000"


def test_pictures_are_what_every_player_shows() -> None:
    graph = value(CHUNK, "-filter_complex")
    assert graph.count("setsar=1,format=yuv420p") == len(RUNGS)
    assert "scale=640:360" in graph
    assert "tonemap" not in graph
    assert "yadif" not in graph


def test_high_dynamic_range_and_interlacing_are_converted() -> None:
    source = Source(0, None, 1920, 1080, Fraction(0), Fraction(25), 100, True, True)
    command = commands.encode_chunk(FILE, source, Timeline.of(source, POLICY), Chunk(0, 100), [(RUNGS[0], OUT)])
    assert "tonemap" in value(command, "-filter_complex")
    assert "[0:0]yadif=deint=interlaced," in value(command, "-filter_complex")
