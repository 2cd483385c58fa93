"""The size of benchmarks: as they are reported, or as small as they can be, which only shows that they still run."""

from __future__ import annotations

import os
from typing import TypeVar

Number = TypeVar("Number", int, float)

VARIABLE = "ENTATIVA_BENCHMARKS_SMALLEST"


def sized(reported: Number, smallest: Number) -> Number:
    """``reported``, or ``smallest`` if the benchmarks run with ``--smallest``.

    It is an environment variable, so that processes that a benchmark starts have it too.
    """
    return smallest if os.environ.get(VARIABLE) else reported
