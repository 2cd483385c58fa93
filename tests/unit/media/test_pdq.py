"""Hashes of pictures are those of Meta's implementation, and change little with a picture."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from features.media.hash_index import MAX_DISTANCE
from features.media.pdq import PictureHash, hash_orientations, hash_picture
from tests.support.pictures import waves

# Made by pdqhash 0.2.8, which binds Meta's C++ code, of pictures of tests/support/pictures.py.
VECTORS = json.loads((Path(__file__).parents[2] / "vectors/pdq/pdqhash.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['width']}x{vector['height']}")
def test_a_hash_is_that_of_the_reference_implementation(vector: dict[str, int | str]) -> None:
    luma = waves(int(vector["seed"]), int(vector["width"]), int(vector["height"]))
    assert hash_picture(luma) == PictureHash(bytes.fromhex(str(vector["hash"])), int(vector["quality"]))


def _edits(picture: PIL.Image.Image) -> dict[str, PIL.Image.Image]:
    width, height = picture.size
    grain = np.random.default_rng(1).integers(-20, 20, (height, width))
    noisy = np.clip(np.asarray(picture).astype(int) + grain, 0, 255).astype(np.uint8)
    framed = picture.copy()
    framed.paste(255, (0, 0, width, height // 40))
    return {
        "smaller": picture.resize((width // 4, height // 4)),
        "another shape": picture.resize((width, height // 2)),
        "darker": picture.point(lambda value: int(value * 0.6)),
        "less contrast": picture.point(lambda value: 100 + value // 4),
        "blurred": picture.filter(PIL.ImageFilter.GaussianBlur(4)),
        "noisy": PIL.Image.fromarray(noisy),
        "a bar at the top": framed,
        "two levels of grey less": picture.quantize(64).convert("L"),
    }


@pytest.mark.parametrize("seed", range(1, 6))
def test_an_edited_picture_is_found(seed: int) -> None:
    picture = PIL.Image.fromarray(waves(seed, 800, 600))
    original = int.from_bytes(hash_picture(np.asarray(picture)).value)
    for name, edited in _edits(picture).items():
        differing = (original ^ int.from_bytes(hash_picture(np.asarray(edited)).value)).bit_count()
        assert differing <= MAX_DISTANCE, name
    other = hash_picture(waves(seed + 10, 800, 600)).value
    assert (original ^ int.from_bytes(other)).bit_count() > 2 * MAX_DISTANCE


def test_a_picture_with_little_in_it_has_a_low_quality() -> None:
    assert hash_picture(np.full((512, 512), 90, np.uint8)).quality == 0


def test_a_mirrored_or_turned_picture_is_found() -> None:
    picture = PIL.Image.fromarray(waves(1, 800, 600))
    original = int.from_bytes(hash_picture(np.asarray(picture)).value)
    nearest = []
    for method in PIL.Image.Transpose:
        hashes = hash_orientations(np.asarray(picture.transpose(method)))
        assert (original ^ int.from_bytes(hashes[0].value)).bit_count() > MAX_DISTANCE, method
        nearest.append(min((original ^ int.from_bytes(each.value)).bit_count() for each in hashes))
    assert len(nearest) == 7
    assert max(nearest) <= MAX_DISTANCE
