"""The storyboard: small pictures that players show while somebody looks for a place."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from features.videos.model import Source
from features.videos.policy import VideoPolicy
from features.videos.webvtt import Cue, render

TILES_PER_ROW = 10


@dataclass(frozen=True, slots=True)
class Storyboard:
    """One picture with `tiles` tiles of the same size, in rows."""

    tiles: int
    tile_width: int
    tile_height: int

    @classmethod
    def of(cls, source: Source, policy: VideoPolicy) -> Storyboard:
        """Returns the storyboard of a video; one with few frames has as many tiles."""
        tiles = min(policy.storyboard_tiles, source.frames)
        height = max(2, round(policy.tile_width * source.height / source.width) // 2 * 2)
        return cls(tiles, policy.tile_width, min(height, 2 * policy.tile_width))

    def webvtt(self, duration: Fraction, picture: str) -> str:
        """Returns which part of the picture shows which time, as players read it (WebVTT with media fragments)."""
        cues = []
        for number in range(self.tiles):
            begins, ends = duration * number / self.tiles, duration * (number + 1) / self.tiles
            row, column = divmod(number, TILES_PER_ROW)
            area = f"{column * self.tile_width},{row * self.tile_height},{self.tile_width},{self.tile_height}"
            cues.append(Cue(int(begins * 1000), int(ends * 1000), f"{picture}#xywh={area}"))
        return render(cues)
