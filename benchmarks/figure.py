"""One measured figure, and how it is printed.

A figure is one number with its unit and, where another system was measured in the same run, that
system's number beside it. What the number may not be compared with (another machine, another run) is
not printed on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Extra = float | int | str | bool | None

_RESERVED = frozenset({"figure", "value", "unit", "baseline", "baseline_value", "ratio", "samples"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of output.

    figure: dotted name, most general part first ("crypto.ratchet.roundtrip").
    value: the measured number; by convention the median of `samples` samples.
    unit: "s", "ms", "us", "1/s", "B", ...
    baseline: what `baseline_value` belongs to ("ts-mls 2.0.1"), or None where nothing was run beside.
    samples: how many measurements `value` summarises.
    extra: more keys of the same line, such as p50, p95 and p99 (in `unit`).
    """

    figure: str
    value: float
    unit: str
    baseline: str | None = None
    baseline_value: float | None = None
    samples: int = 1
    extra: Mapping[str, Extra] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if taken := _RESERVED & self.extra.keys():
            raise ValueError(f"{self.figure}: extra keys shadow the figure's own: {sorted(taken)}")
        if (self.baseline is None) != (self.baseline_value is None):
            raise ValueError(f"{self.figure}: a baseline needs both a name and a value")

    @property
    def ratio(self) -> float | None:
        """`value / baseline_value`: below 1 is better for times, above 1 for rates."""
        if not self.baseline_value:
            return None
        return self.value / self.baseline_value

    def line(self) -> str:
        """The figure as one line of JSON, numbers rounded to six significant digits."""
        return json.dumps(
            {
                "figure": self.figure,
                "value": _rounded(self.value),
                "unit": self.unit,
                "baseline": self.baseline,
                "baseline_value": _rounded(self.baseline_value),
                "ratio": _rounded(self.ratio),
                "samples": self.samples,
                **{key: _rounded(value) for key, value in self.extra.items()},
            },
            ensure_ascii=False,
        )


def quantile(samples: Sequence[float], q: float) -> float:
    """The q-quantile (0 <= q <= 1) of at least one sample, linear between neighbours."""
    ordered = sorted(samples)
    position = q * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def percentiles(samples: Sequence[float]) -> dict[str, Extra]:
    """p50, p95 and p99 of the samples, as `extra` keys."""
    return {"p50": quantile(samples, 0.5), "p95": quantile(samples, 0.95), "p99": quantile(samples, 0.99)}


def _rounded(value: Extra) -> Extra:
    return float(f"{value:.6g}") if isinstance(value, float) else value
