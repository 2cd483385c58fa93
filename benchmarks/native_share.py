"""How much of an action's time is spent inside OpenSSL and libsodium, and where the rest goes."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable
from pathlib import PurePath

_NATIVE = ("_sodium", "cryptography", "_hashlib", "openssl", "built-in method extract")
_SHOWN = 6


def native_share(action: Callable[[], object]) -> tuple[float, dict[str, float]]:
    """(percent of CPU time in OpenSSL and libsodium, the functions with most of the rest and their percent).

    `action` runs twice: once to be timed, once under cProfile, which tells the time inside of native functions well
    (its own charge for a call is measured and taken off) but slows down everything else. The share is the one divided
    by the other; the percentages of the rest are those of the profile, good for their order.
    """
    start = time.thread_time()
    action()
    undisturbed = time.thread_time() - start
    own = _profiled(action)
    charge = _charge_per_call()
    total = sum(seconds for _, seconds in own.values())
    native = 0.0
    rest: dict[str, float] = {}
    for (path, _, name), (calls, seconds) in own.items():
        if path == "~" and any(word in name for word in _NATIVE):
            native += max(0.0, seconds - calls * charge)
        else:
            label = name if path == "~" else f"{PurePath(path).name}:{name}"
            rest[label] = rest.get(label, 0.0) + 100 * seconds / total
    most = sorted(rest.items(), key=lambda item: -item[1])[:_SHOWN]
    return 100 * native / undisturbed, {label: round(percent, 1) for label, percent in most}


def _profiled(action: Callable[[], object]) -> dict[tuple[str, int, str], tuple[int, float]]:
    """Calls and own CPU seconds by (file, line, function)."""
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(action)
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    return {where: (row[1], row[2]) for where, row in rows}


def _charge_per_call() -> float:
    """Seconds that the profiler adds to a call of a native function which does nothing."""

    def nothing() -> None:
        for _ in range(50_000):
            len(())

    calls, seconds = next(row for (_, _, name), row in _profiled(nothing).items() if "len" in name)
    return seconds / calls
