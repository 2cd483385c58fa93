"""Small videos, made by ffmpeg."""

import subprocess
import tempfile
from pathlib import Path

_CACHE: dict[tuple[str, ...], bytes] = {}


def clip(*, seconds: float = 3, size: str = "64x36", rate: str = "30", audio: bool = True, options: str = "") -> bytes:
    """Returns an MP4 file with moving pictures, and a tone. `options` are further ones of the output."""
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
    if audio:
        source += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "2", "-c:a", "aac"]
    return made(*source, "-t", f"{seconds}", *encoder, *options.split())


def made(*arguments: str, suffix: str = "mp4") -> bytes:
    """Returns what ffmpeg makes; the same arguments are run once."""
    key = (*arguments, suffix)
    if key not in _CACHE:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / f"clip.{suffix}"
            subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *arguments, str(path)], check=True)
            _CACHE[key] = path.read_bytes()
    return _CACHE[key]
