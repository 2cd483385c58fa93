"""Command lines of ffmpeg and ffprobe.

Time stamps of the source are kept (-copyts), so that a chunk's frames are the same whether the chunk is decoded by
itself or with all before it: frame n of the stream is the frame of the source that is shown at n / frame_rate. The
filter `fps` begins at the chunk's first frame, `tpad` repeats the last frame of a source that ends too early, and
-frames:v ends the chunk.

Output is fragmented MP4 with a fragment per GOP, whose time stamps go on from chunk to chunk (frag_discont).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from features.media.model import HASHED_SIDE
from features.videos.key_frames import SEEK_MARGIN
from features.videos.model import Chunk, Rung, Source
from features.videos.policy import VideoPolicy
from features.videos.probe import CODECS
from features.videos.storyboard import TILES_PER_ROW, Storyboard
from features.videos.timeline import Timeline

TIMESTAMP_OFFSET = 1
"""Seconds at which streams begin, so that nothing is decoded at a negative time: B-frames are decoded before they are
shown, and AAC begins with samples of its own."""

AUDIO_SAMPLES = 48_000
"""Samples a second of what is streamed."""

_MICROSECOND = Fraction(1, 1_000_000)
"""To which ffprobe rounds times."""

_LONG_S = 20
"""Seconds from which on key frames alone are enough for a storyboard."""

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
# Decoders, which for some codecs have names of their own.
_DECODERS = ",".join(CODECS) + (
    ",libdav1d,libvpx,libvpx-vp9,aac,aac_fixed,mp3,mp3float,opus,libopus,vorbis,libvorbis,flac,alac,ac3,eac3,amrnb,amrwb"
    ",libopencore_amrnb,libopencore_amrwb,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le"
)
# No file can make ffmpeg open another one or the network, or use a demuxer or decoder of which nobody thought.
_LIMITS = ("-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-codec_whitelist", _DECODERS)
_QUIET = ("-v", "error", "-hide_banner")
_TO_SDR = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
_FRAGMENTS = "+empty_moov+default_base_moof+frag_discont+skip_trailer"
_NO_METADATA = ("-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn")


def probe_streams(source: Path) -> list[str]:
    """Prints what the file says of itself, as JSON."""
    return ["ffprobe", *_QUIET, *_LIMITS, "-of", "json", "-show_format", "-show_streams", str(source)]


def probe_packets(source: Path, stream: int) -> list[str]:
    """Prints when each packet of a stream is shown, and whether it is a key frame."""
    entries = "packet=pts_time,duration_time,flags"
    return [
        *("ffprobe", *_QUIET, *_LIMITS, "-of", "csv=p=0", "-select_streams", str(stream)),
        *("-show_entries", entries, str(source)),
    ]


def encode_chunk(
    path: Path,
    source: Source,
    timeline: Timeline,
    chunk: Chunk,
    outputs: Sequence[tuple[Rung, Path]],
    hashed: Path | None = None,
) -> list[str]:
    """Encodes a chunk at some rungs, each into a file of its own, and decodes it once for all of them. `hashed` becomes
    the luma of the key frames as they are hashed: a byte a pixel, HASHED_SIDE pixels on each side."""
    # What takes interlaced pictures apart looks at the one before, too.
    key_frame = None if source.interlaced else dict(source.key_frames).get(chunk.first)
    before = max(Fraction(0), timeline.seconds(chunk.first) - SEEK_MARGIN)
    seek = before if key_frame is None else key_frame + _MICROSECOND
    labels = [f"[o{number}]" for number in range(len(outputs))]
    parts = [f"[i{number}]" for number in range(len(outputs))]
    pads = [*parts, "[h]"] if hashed else parts
    graph = [f"[0:{source.video_stream}]{_frames(source, timeline, chunk)},split={len(pads)}{''.join(pads)}"]
    command = ["ffmpeg", "-nostdin", *_QUIET, "-y", *_LIMITS, "-copyts", "-noaccurate_seek"]
    command += ["-ss", _decimal(seek), "-threads", "1", "-i", str(path), "-filter_complex_threads", "1"]
    encoders: list[str] = []
    for part, label, (rung, output) in zip(parts, labels, outputs, strict=True):
        graph.append(f"{part}{_picture(source, rung.width, rung.height)}{label}")
        encoders += [
            "-map",
            label,
            "-frames:v",
            str(chunk.frames),
            *_x264(rung, timeline),
            *_mp4(timeline),
            str(output),
        ]
    if hashed is not None:
        graph.append(f"[h]select=not(mod(n\\,{timeline.gop_frames})),{_luma(source)}[l]")
        encoders += [
            "-map",
            "[l]",
            "-frames:v",
            str(-(-chunk.frames // timeline.gop_frames)),
            "-fps_mode",
            "passthrough",
        ]
        encoders += ["-f", "rawvideo", str(hashed)]
    return [*command, "-filter_complex", ";".join(graph), *encoders]


def encode_audio(path: Path, source: Source, policy: VideoPolicy, output: Path) -> list[str]:
    """Encodes all of the audio, with silence before one that begins late."""
    assert source.audio_stream is not None
    segment = policy.gop * policy.gops_per_segment
    # A late beginning becomes silence, an early one is cut: sample 0 is at the time of frame 0.
    samples = f"aresample={AUDIO_SAMPLES}:async=1:first_pts=0"
    shifted = f"asetpts=PTS-{_decimal(source.start)}/TB,{samples}"
    return [
        *("ffmpeg", "-nostdin", *_QUIET, "-y", *_LIMITS, "-copyts", "-threads", "1", "-i", str(path)),
        *("-map", f"0:{source.audio_stream}", *_NO_METADATA, "-af", shifted, "-t", _decimal(source.duration)),
        *("-c:a", "aac", "-b:a", str(policy.audio_rate), "-ac", "2", "-ar", str(AUDIO_SAMPLES)),
        *("-frag_duration", str(int(segment * 1_000_000)), "-movflags", _FRAGMENTS, "-use_editlist", "0"),
        *("-output_ts_offset", str(TIMESTAMP_OFFSET), "-avoid_negative_ts", "disabled", "-f", "mp4", str(output)),
    ]


def draw_poster(path: Path, source: Source, at: Fraction, rung: Rung, output: Path) -> list[str]:
    """Writes the most typical of the frames from `at` on as a JPEG."""
    return [
        *("ffmpeg", "-nostdin", *_QUIET, "-y", *_LIMITS, "-threads", "1", "-ss", _decimal(at), "-i", str(path)),
        *("-map", f"0:{source.video_stream}", *_NO_METADATA),
        *("-vf", f"{_shown(source)}thumbnail=25,{_picture(source, rung.width, rung.height, 'yuvj420p')}"),
        *("-frames:v", "1", "-q:v", "3", "-f", "mjpeg", str(output)),
    ]


def draw_storyboard(path: Path, source: Source, storyboard: Storyboard, output: Path) -> list[str]:
    """Writes all tiles of a storyboard into one JPEG. Of a long video, only key frames are decoded."""
    decoded = ("-skip_frame", "nokey") if source.duration >= _LONG_S else ()
    rate = storyboard.tiles / source.duration
    rows = -(-storyboard.tiles // TILES_PER_ROW)
    return [
        *("ffmpeg", "-nostdin", *_QUIET, "-y", *_LIMITS, *decoded, "-threads", "1", "-i", str(path)),
        *("-map", f"0:{source.video_stream}", *_NO_METADATA, "-vf"),
        f"{_shown(source)}fps={rate.numerator}/{rate.denominator}:start_time=0,tpad=stop_mode=clone:stop=-1,"
        f"{_picture(source, storyboard.tile_width, storyboard.tile_height, 'yuvj420p')},"
        f"trim=end_frame={storyboard.tiles},tile={min(TILES_PER_ROW, storyboard.tiles)}x{rows}",
        *("-frames:v", "1", "-q:v", "5", "-f", "mjpeg", str(output)),
    ]


def _frames(source: Source, timeline: Timeline, chunk: Chunk) -> str:
    rate = f"{timeline.frame_rate.numerator}/{timeline.frame_rate.denominator}"
    return (
        f"{_shown(source)}setpts=PTS-{_decimal(source.start)}/TB,"
        f"fps={rate}:start_time={_decimal(timeline.seconds(chunk.first))},tpad=stop_mode=clone:stop=-1"
    )


def _shown(source: Source) -> str:
    return "yadif=deint=interlaced," if source.interlaced else ""


def _picture(source: Source, width: int, height: int, pixels: str = "yuv420p") -> str:
    # Averages are as good as a longer filter where much is made smaller, and cost a fifth of it.
    scaled = f"scale={width}:{height}:flags={'area' if source.height >= 2 * height else 'bicubic'}"
    return (
        f"{scaled},{_TO_SDR},setsar=1,format={pixels}"
        if source.high_dynamic_range
        else f"{scaled},setsar=1,format={pixels}"
    )


def _luma(source: Source) -> str:
    scaled = f"scale={HASHED_SIDE}:{HASHED_SIDE}:flags=area"
    return f"{scaled},{_TO_SDR},format=gray" if source.high_dynamic_range else f"{scaled},format=gray"


def _x264(rung: Rung, timeline: Timeline) -> list[str]:
    gop = str(timeline.gop_frames)
    return [
        *(*_NO_METADATA, "-c:v", "libx264", "-preset", rung.preset, "-profile:v", "high", "-threads", "1"),
        *("-crf", str(rung.crf), "-maxrate", str(rung.max_rate), "-bufsize", str(2 * rung.max_rate)),
        *("-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-flags", "+cgop+bitexact", "-fps_mode", "passthrough"),
    ]


def _mp4(timeline: Timeline) -> list[str]:
    return [
        *("-video_track_timescale", str(timeline.timescale), "-movflags", f"+frag_keyframe{_FRAGMENTS}"),
        *("-use_editlist", "0", "-output_ts_offset", str(TIMESTAMP_OFFSET), "-avoid_negative_ts", "disabled"),
        *("-fflags", "+bitexact", "-f", "mp4"),
    ]


def _decimal(seconds: Fraction) -> str:
    """Returns seconds as ffmpeg reads them: it counts microseconds."""
    return f"{float(seconds):.6f}"
