"""What a brand can change about videos."""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from features.documented import documented


@dataclass(frozen=True, slots=True)
class Quality:
    """What one rung of the ladder should look like. `short_side` is in pixels; rates are in bits a second."""

    short_side: int
    crf: int
    """Constant rate factor of x264: quality, lower is better."""
    max_rate: int
    """The cap above which quality gives way."""
    preset: str
    """Of x264: how much CPU goes into smaller files."""


@dataclass(frozen=True, slots=True)
class VideoPolicy:
    max_duration: timedelta = timedelta(hours=1)
    max_side: int = 8192
    """Pixels of the longer side of what is uploaded."""
    max_source_frame_rate: int = 480
    max_frame_rate: int = 60
    """Frames a second of what is streamed."""
    ladder: tuple[Quality, ...] = (
        Quality(360, 26, 800_000, "veryfast"),
        Quality(720, 24, 2_800_000, "fast"),
        Quality(1080, 23, 5_000_000, "fast"),
    )
    """From the smallest on, which can be played first. Rungs larger than the source are left out."""
    gop: Fraction = Fraction(2)
    """Seconds from one key frame to the next, to the nearest frame."""
    gops_per_segment: int = 2
    segments_per_chunk: int = 2
    """Chunks are encoded side by side; what a worker has encoded of one is lost with it."""
    audio_rate: int = 128_000
    storyboard_tiles: int = 50
    tile_width: int = 160
    max_captions: int = documented(20, most=100)
    """Languages per video."""
    max_caption_cues: int = 10_000
    max_attempts: int = 5
    """How often the transcoding of a video may fail without progress before it counts as broken."""
    max_job_losses: int = 5
    """How often a job is run again at once, when its worker was killed, before the attempt ends."""
    jobs_at_once: int = 64
    """Jobs of one video that run or wait for a CPU."""
    job_cpu_s: int = 900
    """CPU time of one job; a job that takes more ends its video."""
    job_timeout_s: int = 1800
    job_memory: int = 4 * 1024 * 1024 * 1024
    """Address space in bytes."""
    job_output: int = 1024 * 1024 * 1024
    """Bytes of the largest file that a job may write."""
