"""What an uploaded file is, from what ffprobe prints."""

import json
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from features.videos.model import Source, Unplayable, VideoProblem
from features.videos.policy import VideoPolicy
from features.videos.probe import parse_source, video_stream

POLICY = VideoPolicy(max_duration=timedelta(minutes=10))
VIDEO: dict[str, Any] = {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080}
AUDIO: dict[str, Any] = {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 2}
COVER: dict[str, Any] = {**VIDEO, "index": 2, "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}


def described(*streams: dict[str, Any], start: str = "0.000000") -> str:
    return json.dumps({"streams": streams, "format": {"start_time": start}})


def packets(frames: int, rate: Fraction = Fraction(30), first: Fraction = Fraction(0)) -> list[str]:
    return [f"{float(first + frame / rate):.6f},{float(1 / rate):.6f}" for frame in range(frames)]


def source(*streams: dict[str, Any], lines: list[str] | None = None, start: str = "0.000000") -> Source:
    return parse_source(described(*streams, start=start), packets(300) if lines is None else lines, POLICY)


def problem(*streams: dict[str, Any], lines: list[str] | None = None) -> VideoProblem:
    with pytest.raises(Unplayable) as caught:
        source(*streams, lines=lines)
    return caught.value.problem


def test_an_ordinary_clip() -> None:
    found = source(VIDEO, AUDIO)
    assert (found.video_stream, found.audio_stream) == (0, 1)
    assert (found.width, found.height, found.frames) == (1920, 1080, 300)
    assert (found.frame_rate, found.duration) == (Fraction(30), Fraction(10))


def test_a_clip_without_audio_and_one_with_a_cover() -> None:
    assert source(VIDEO).audio_stream is None
    assert source({**COVER, "index": 0}, {**VIDEO, "index": 3}).video_stream == 3
    assert video_stream(described({**COVER, "index": 0}, {**VIDEO, "index": 3})) == 3


def test_audio_that_cannot_be_decoded_is_left_out() -> None:
    assert source(VIDEO, {**AUDIO, "channels": 0}, {**AUDIO, "index": 2, "codec_name": "unknown"}).audio_stream is None


@pytest.mark.parametrize("degrees", [90, -90, 270])
def test_a_clip_that_was_taken_upright(degrees: int) -> None:
    found = source({**VIDEO, "side_data_list": [{"side_data_type": "Display Matrix", "rotation": degrees}]})
    assert (found.width, found.height) == (1080, 1920)


def test_pixels_that_are_not_square() -> None:
    found = source({**VIDEO, "width": 720, "height": 576, "sample_aspect_ratio": "64:45"})
    assert (found.width, found.height) == (1024, 576)
    assert source({**VIDEO, "sample_aspect_ratio": "0:1"}).width == 1920


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        (Fraction(30), Fraction(30)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (Fraction("29.8"), Fraction(30000, 1001)),
        (Fraction(24000, 1001), Fraction(24000, 1001)),
        (Fraction(27), Fraction(30000, 1001)),
        (Fraction(3), Fraction(10)),
        (Fraction(120), Fraction(60)),
        (Fraction(60), Fraction(60)),
    ],
)
def test_streams_have_a_usual_frame_rate(given: Fraction, usual: Fraction) -> None:
    found = source(VIDEO, lines=packets(1000, given))
    assert found.frame_rate == usual
    assert abs(found.duration - 1000 / given) <= 1 / usual


def test_time_begins_with_the_file() -> None:
    found = source(VIDEO, AUDIO, lines=packets(300, first=Fraction(2)), start="1.500000")
    assert (found.start, found.frames) == (Fraction("1.5"), 315)
    assert source(VIDEO, start="N/A").frames == 300


def test_packets_come_in_the_order_of_decoding_and_may_lack_times() -> None:
    lines = packets(300)
    lines[1:4] = [lines[3], lines[1], lines[2], "N/A,N/A", ""]
    assert source(VIDEO, lines=lines).frames == 300
    assert source(VIDEO, lines=[line.split(",")[0] + ",N/A" for line in packets(300)]).frames == 300


def test_chunks_that_begin_with_a_key_frame_are_known() -> None:
    """Chunks of 8 s: 240 frames."""

    def key_frames(*frames: int, start: str = "0.000000") -> tuple[tuple[int, Fraction], ...]:
        lines = [f"{line},{'K_' if number in frames else '__'}" for number, line in enumerate(packets(900))]
        return source(VIDEO, lines=lines, start=start).key_frames

    assert key_frames(0, 30, 240, 480, 700) == ((240, Fraction(8)), (480, Fraction(16)))
    assert key_frames(0, 240, 250, 480) == ((480, Fraction(16)),)  # another one follows at once
    assert key_frames(0, 239, 481, 719, 720) == ((720, Fraction(24)),)
    assert key_frames(*range(900)) == ()
    assert key_frames(0, 240, start="1.000000") == ()
    assert source(VIDEO, lines=packets(900)).key_frames == ()


def test_one_frame_is_a_video() -> None:
    assert source(VIDEO, lines=["0.000000,N/A"]).frames == 1


def test_what_is_no_video() -> None:
    assert problem(AUDIO) is VideoProblem.AUDIO_ONLY
    assert problem(AUDIO, COVER) is VideoProblem.AUDIO_ONLY
    assert problem() is VideoProblem.NO_VIDEO
    assert problem({**VIDEO, "codec_name": "vvc"}) is VideoProblem.UNKNOWN_CODEC
    assert problem({**VIDEO, "codec_name": None}) is VideoProblem.UNKNOWN_CODEC


def test_what_has_no_frames() -> None:
    assert problem(VIDEO, lines=[]) is VideoProblem.NO_FRAMES
    assert problem(VIDEO, lines=["N/A,N/A"]) is VideoProblem.NO_FRAMES


@pytest.mark.parametrize(("width", "height"), [(0, 0), (2, 1080), (100_000, 1080), (8192, 64), (64, 8192)])
def test_absurd_dimensions(width: int, height: int) -> None:
    assert problem({**VIDEO, "width": width, "height": height}) is VideoProblem.BAD_DIMENSIONS


def test_absurd_pixels() -> None:
    assert problem({**VIDEO, "sample_aspect_ratio": "1000:1"}) is VideoProblem.BAD_DIMENSIONS
    assert problem({**VIDEO, "sample_aspect_ratio": "1:1000"}) is VideoProblem.BAD_DIMENSIONS


def test_absurd_frame_rates() -> None:
    assert problem(VIDEO, lines=packets(2000, Fraction(1000))) is VideoProblem.BAD_FRAME_RATE
    assert problem(VIDEO, lines=["1.0,0.0"] * 5) is VideoProblem.BAD_FRAME_RATE


def test_too_long() -> None:
    assert source(VIDEO, lines=packets(600, Fraction(1))).duration == 600
    assert problem(VIDEO, lines=packets(601, Fraction(1))) is VideoProblem.TOO_LONG
    assert problem(VIDEO, lines=["0.0,0.03", "999999999.0,0.03"]) is VideoProblem.TOO_LONG


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"streams": 1}', "null"])
def test_what_ffprobe_could_not_read(text: str) -> None:
    with pytest.raises(Unplayable) as caught:
        parse_source(text, [], POLICY)
    assert caught.value.problem is VideoProblem.BROKEN
