"""Pictures that are made of numbers alone, so that they are the same everywhere."""

import numpy as np
from numpy.typing import NDArray


def waves(seed: int, width: int, height: int) -> NDArray[np.uint8]:
    """Returns the luma of a picture with much in it: sines of many directions and lengths."""
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    total = np.zeros((height, width))
    for number in range(1, 13):
        angle, length = (seed * 37 + number * 101) % 360, 1 + (seed * 7 + number * 5) % 9
        turned = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
        total += np.sin(2 * np.pi * length * turned + number * seed)
    luma: NDArray[np.uint8] = np.round((total - total.min()) / (total.max() - total.min()) * 255).astype(np.uint8)
    return luma
