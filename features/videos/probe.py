"""What an uploaded file is, decided from what ffprobe prints about it.

Nothing that a file says about itself is believed where its packets say otherwise: durations and frame rates come from
time stamps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from features.videos.key_frames import key_frames_of_chunks
from features.videos.model import Source, Unplayable, VideoProblem
from features.videos.policy import VideoPolicy
from features.videos.timeline import Timeline

CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores")
"""Codecs of video streams that are decoded."""

_RATES = (
    *(Fraction(rate) for rate in (10, 12, 15, 20)),
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)),
    *(Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60)),
)
_NEAR = Fraction(2, 100)
_MIN_SIDE = 16
_MOST_OBLONG = Fraction(20)
_HIGH_DYNAMIC_RANGE = {"smpte2084", "arib-std-b67"}
_PROGRESSIVE = {"progressive", "unknown"}


def parse_source(streams: str, packets: Sequence[str], policy: VideoPolicy) -> Source:
    """Returns what a file is. `streams` is the JSON of ``ffprobe -show_format -show_streams``, `packets` are lines
    ``pts_time,duration_time,flags`` of its video stream (`video_stream`). Raises Unplayable."""
    described = _described(streams)
    video = _video(described)
    width, height = _shown_size(video, policy)
    start = _seconds(described.get("format", {}).get("start_time")) or Fraction(0)
    first, end, count = _span(packets)
    begins = min(start, first)
    if end - begins > int(policy.max_duration.total_seconds()):
        raise Unplayable(VideoProblem.TOO_LONG)
    frame_rate = _frame_rate(first, end, count, policy)
    audio = [one for one in described["streams"] if one.get("codec_type") == "audio" and _decodable(one)]
    source = Source(
        video_stream=int(video["index"]),
        audio_stream=int(audio[0]["index"]) if audio else None,
        width=width,
        height=height,
        start=begins,
        frame_rate=frame_rate,
        frames=max(1, round((end - begins) * frame_rate)),
        interlaced=video.get("field_order", "unknown") not in _PROGRESSIVE,
        high_dynamic_range=video.get("color_transfer") in _HIGH_DYNAMIC_RANGE,
    )
    if first < start:  # ffmpeg seeks from `start` on
        return source
    key_frames = [time - begins for time in _key_frames(packets)]
    return replace(source, key_frames=key_frames_of_chunks(key_frames, Timeline.of(source, policy)))


def video_stream(streams: str) -> int:
    """Returns the index of the stream that is shown. Raises Unplayable."""
    return int(_video(_described(streams))["index"])


def _described(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise Unplayable(VideoProblem.BROKEN) from None
    if not isinstance(found, dict) or not isinstance(found.get("streams"), list):
        raise Unplayable(VideoProblem.BROKEN)
    return found


def _video(described: Mapping[str, Any]) -> Mapping[str, Any]:
    streams: Sequence[Mapping[str, Any]] = described["streams"]
    videos = [one for one in streams if one.get("codec_type") == "video" and not _is_cover(one)]
    if not videos:
        has_audio = any(one.get("codec_type") == "audio" for one in streams)
        raise Unplayable(VideoProblem.AUDIO_ONLY if has_audio else VideoProblem.NO_VIDEO)
    for video in videos:
        if video.get("codec_name") in CODECS:
            return video
    raise Unplayable(VideoProblem.UNKNOWN_CODEC)


def _is_cover(stream: Mapping[str, Any]) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _decodable(stream: Mapping[str, Any]) -> bool:
    return stream.get("codec_name") not in (None, "unknown", "none") and int(stream.get("channels") or 0) > 0


def _shown_size(video: Mapping[str, Any], policy: VideoPolicy) -> tuple[int, int]:
    width, height = int(video.get("width") or 0), int(video.get("height") or 0)
    if min(width, height) < _MIN_SIDE or max(width, height) > policy.max_side:
        raise Unplayable(VideoProblem.BAD_DIMENSIONS)
    shape = _ratio(video.get("sample_aspect_ratio"), ":") or Fraction(1)
    shown = max(1, round(width * shape))
    if not 1 / _MOST_OBLONG <= Fraction(shown, height) <= _MOST_OBLONG:
        raise Unplayable(VideoProblem.BAD_DIMENSIONS)
    return (height, shown) if _rotation(video) % 180 == 90 else (shown, height)


def _rotation(video: Mapping[str, Any]) -> int:
    for side_data in video.get("side_data_list", ()):
        if "rotation" in side_data:
            return round(float(side_data["rotation"]) / 90) * 90
    return 0


def _span(packets: Iterable[str]) -> tuple[Fraction, Fraction, int]:
    """Returns when the first frame is shown, when the last one ends, and how many there are."""
    first = last = end = None
    count = 0
    for line in packets:
        fields = line.strip().split(",")
        at = _seconds(fields[0])
        if at is None:
            continue
        count += 1
        first = at if first is None else min(first, at)
        if last is None or at > last:
            last = at
            end = at + max(Fraction(0), (_seconds(fields[1]) if len(fields) > 1 else None) or Fraction(0))
    if first is None or last is None or end is None:
        raise Unplayable(VideoProblem.NO_FRAMES)
    if end == last and count > 1:  # the last frame's duration is not known: it is that of the others
        end = last + (last - first) / (count - 1)
    return first, end, count


def _key_frames(packets: Iterable[str]) -> list[Fraction]:
    """Returns when the key frames are shown, ascending."""
    found = (line.strip().split(",") for line in packets)
    times = (_seconds(fields[0]) for fields in found if len(fields) > 2 and fields[2].startswith("K"))
    return sorted(time for time in times if time is not None)


def _frame_rate(first: Fraction, end: Fraction, count: int, policy: VideoPolicy) -> Fraction:
    """Returns the usual rate nearest to that of the packets; where frames come at uneven times, the next higher one."""
    if end <= first:
        if count > 1:
            raise Unplayable(VideoProblem.BAD_FRAME_RATE)
        return Fraction(10)
    rate = count / (end - first)
    if rate > policy.max_source_frame_rate:
        raise Unplayable(VideoProblem.BAD_FRAME_RATE)
    allowed = [usual for usual in _RATES if usual <= policy.max_frame_rate]
    nearest = min(allowed, key=lambda usual: abs(usual - rate))
    if abs(nearest - rate) <= rate * _NEAR:
        return nearest
    return next((usual for usual in allowed if usual >= rate), allowed[-1])


def _seconds(text: object) -> Fraction | None:
    try:
        return Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None


def _ratio(text: object, separator: str) -> Fraction | None:
    try:
        above, below = str(text).split(separator)
        ratio = Fraction(int(above), int(below))
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 else None
