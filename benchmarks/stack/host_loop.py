"""What a benchmark of a host's parts must have in common with a host process, where it has no Ray."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run_as_host(measure: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs ``measure`` on uvloop, as Ray runs actors, with garbage collected as rarely as in `ShardHost`."""
    # What a host has imported before.
    import actors.runtime.hosting.shard_owner
    import actors.runtime.store.turn_writes  # noqa: F401
    from cluster.garbage_collection import collect_garbage_rarely

    thresholds = gc.get_threshold()
    collect_garbage_rarely()
    try:
        return uvloop.run(measure())
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
