"""HLS playlists (RFC 8216, and its second edition for byte ranges of fragmented MP4).

A stream is a list of files, each with the fragments of one chunk; segments and key frames are byte ranges of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from features.videos.fragments import Fragment, FragmentedFile


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a stream: its name, relative to the playlist, and what is in it."""

    name: str
    file: FragmentedFile


@dataclass(frozen=True, slots=True)
class Segment:
    """What a player loads at once."""

    name: str
    offset: int
    size: int
    duration: Fraction
    """In seconds."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """What the master playlist says of one rung."""

    name: str
    width: int
    height: int
    frame_rate: Fraction
    codec: str
    peak_rate: int
    """Bits a second of the segment with the most."""
    average_rate: int
    key_frame_rate: int
    """Bits a second of its key frames alone."""


@dataclass(frozen=True, slots=True)
class Audio:
    """What the master playlist says of the audio."""

    codec: str
    peak_rate: int
    average_rate: int


@dataclass(frozen=True, slots=True)
class Streams:
    """What the master playlist lists."""

    renditions: list[Rendition]
    audio: Audio | None


def segments(parts: Sequence[Part], fragments_per_segment: int) -> list[Segment]:
    """Returns the segments of a stream: so many fragments each, and what is left over at the end of a file."""
    found = []
    for part in parts:
        fragments = part.file.fragments
        for first in range(0, len(fragments), fragments_per_segment):
            together = fragments[first : first + fragments_per_segment]
            found.append(_segment(part, together))
    return found


def _segment(part: Part, fragments: Sequence[Fragment]) -> Segment:
    size = fragments[-1].offset + fragments[-1].size - fragments[0].offset
    duration = Fraction(sum(fragment.duration for fragment in fragments), part.file.timescale)
    return Segment(part.name, fragments[0].offset, size, duration)


def peak_rate(found: Sequence[Segment]) -> int:
    """Returns bits a second of the segment with the most; a short last one does not count, unless it is the only
    one."""
    longest = max(segment.duration for segment in found)
    return max(ceil(segment.size * 8 / segment.duration) for segment in found if segment.duration * 2 >= longest)


def average_rate(found: Sequence[Segment]) -> int:
    """Returns bits a second of all segments together."""
    return ceil(sum(segment.size for segment in found) * 8 / sum(segment.duration for segment in found))


def media_playlist(parts: Sequence[Part], found: Sequence[Segment]) -> str:
    """Returns the playlist of a stream."""
    return _playlist(parts, found, iframes=False)


def key_frames(parts: Sequence[Part]) -> list[Segment]:
    """Returns the key frames of a stream, each of which lasts until the next."""
    return [
        Segment(part.name, fragment.offset, fragment.key_size, Fraction(fragment.duration, part.file.timescale))
        for part in parts
        for fragment in part.file.fragments
    ]


def key_frame_playlist(parts: Sequence[Part]) -> str:
    """Returns the playlist of a stream's key frames, for fast forward."""
    return _playlist(parts, key_frames(parts), iframes=True)


def _playlist(parts: Sequence[Part], found: Sequence[Segment], *, iframes: bool) -> str:
    target = ceil(max(segment.duration for segment in found))
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{target}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    lines += ["#EXT-X-I-FRAMES-ONLY"] if iframes else ["#EXT-X-INDEPENDENT-SEGMENTS"]
    files = {part.name: part.file for part in parts}
    initialised = ""
    for segment in found:
        file = files[segment.name]
        if file.head_digest != initialised:
            lines.append(f'#EXT-X-MAP:URI="{segment.name}",BYTERANGE="{file.head}@0"')
            initialised = file.head_digest
        lines.append(f"#EXTINF:{float(segment.duration):.6f},")
        lines.append(f"#EXT-X-BYTERANGE:{segment.size}@{segment.offset}")
        lines.append(segment.name)
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def captions_playlist(name: str, duration: Fraction) -> str:
    """Returns the playlist of captions, which are one segment."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, ceil(duration))}"]
    lines += ["#EXT-X-PLAYLIST-TYPE:VOD", f"#EXTINF:{float(duration):.6f},", name, "#EXT-X-ENDLIST", ""]
    return "\n".join(lines)


def master_playlist(renditions: Sequence[Rendition], audio: Audio | None, captions: Sequence[tuple[str, str]]) -> str:
    """Returns the playlist that players are given. `captions` are language tags, each with the name that viewers
    see."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio:
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            'URI="audio.m3u8"'
        )
    for language, label in captions:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="{_quoted(label)}",LANGUAGE="{language}",'
            f'DEFAULT=NO,AUTOSELECT=YES,URI="captions-{language}.m3u8"'
        )
    for rendition in renditions:
        codecs = [rendition.codec] + ([audio.codec] if audio else [])
        attributes = [
            f"BANDWIDTH={rendition.peak_rate + (audio.peak_rate if audio else 0)}",
            f"AVERAGE-BANDWIDTH={rendition.average_rate + (audio.average_rate if audio else 0)}",
            f'CODECS="{",".join(codecs)}"',
            f"RESOLUTION={rendition.width}x{rendition.height}",
            f"FRAME-RATE={float(rendition.frame_rate):.3f}",
            *(['AUDIO="audio"'] if audio else []),
            *(['SUBTITLES="captions"'] if captions else []),
        ]
        lines.append(f"#EXT-X-STREAM-INF:{','.join(attributes)}")
        lines.append(f"{rendition.name}.m3u8")
    lines += [
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={rendition.key_frame_rate},CODECS="{rendition.codec}",'
        f'RESOLUTION={rendition.width}x{rendition.height},URI="{rendition.name}-iframes.m3u8"'
        for rendition in renditions
    ]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Returns a text as it may stand in a quoted string, which cannot hold quotes and line ends."""
    return " ".join(text.replace('"', "'").split())
