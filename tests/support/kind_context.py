"""The context of an entity kind in a process without a host actor."""

from __future__ import annotations

from typing import Any

from actors.runtime import KindContext
from actors.runtime.clock import SYSTEM_CLOCK
from actors.runtime.kind import Policy


def kind_context(policy: Policy = None, **parts: Any) -> KindContext[Policy]:  # type: ignore[assignment]
    """A context with these parts; of storage, router and secret there is only what `parts` has."""
    absent: dict[str, Any] = {"database": None, "redis": None, "router": None, "secret": b""}
    names = {"brand": "test", "host": "host", "node": "node"}
    return KindContext(policy=policy, **{**absent, **names, "clock": SYSTEM_CLOCK, **parts})
