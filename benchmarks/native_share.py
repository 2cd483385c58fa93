"""How much of an action's time is spent inside OpenSSL and libsodium, and where the rest goes."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import PurePath

_NATIVE = ("_sodium", "cryptography", "_hashlib", "openssl")
_SHOWN = 6


def native_share(action: Callable[[], object]) -> tuple[float, dict[str, float]]:
    """(percent in OpenSSL and libsodium, the functions that take most of the rest with their own percent).

    Measured with cProfile, which charges every Python call extra: the share is a lower bound.
    """
    profile = cProfile.Profile()
    profile.runcall(action)
    own = {where: row[2] for where, row in pstats.Stats(profile).stats.items()}  # type: ignore[attr-defined]
    total = sum(own.values())
    native = 0.0
    rest: dict[str, float] = {}
    for (path, _, name), seconds in own.items():
        if path == "~" and any(word in name for word in _NATIVE):
            native += seconds
        else:
            label = name if path == "~" else f"{PurePath(path).name}:{name}"
            rest[label] = rest.get(label, 0.0) + 100 * seconds / total
    most = sorted(rest.items(), key=lambda item: -item[1])[:_SHOWN]
    return 100 * native / total, {label: round(percent, 1) for label, percent in most}
