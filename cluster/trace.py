"""W3C trace context: one trace id per request, carried in `traceparent` through HTTP, actors, the outbox and consumers.

Specification: W3C Trace Context, section 3.2 (traceparent header).
"""

import re
from contextvars import ContextVar
from random import Random

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")

# Ids need to differ, not to be secret; the operating system's source would be two system calls for each request.
_ids = Random()  # noqa: S311

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def start_trace(traceparent: str | None = None) -> str:
    """Continue the caller's trace if its header is valid, else begin one. Returns the new traceparent."""
    current = new_traceparent(traceparent)
    _current.set(current)
    return current


def resume_trace(traceparent: str | None) -> None:
    """What this task does from here on belongs to the trace that a message brought, or to none."""
    _current.set(traceparent)


def new_traceparent(parent: str | None = None) -> str:
    """A traceparent for work that is not the work at hand: of the parent's trace if its header is valid, else of a new
    one."""
    match = _TRACEPARENT.match(parent) if parent else None
    trace_id = match.group(1) if match and set(match.group(1)) != {"0"} else f"{_ids.getrandbits(128):032x}"
    return f"00-{trace_id}-{_ids.getrandbits(64):016x}-01"


def current_traceparent() -> str | None:
    """The traceparent of the work at hand, if it belongs to a trace."""
    return _current.get()


def current_trace_id() -> str | None:
    """The 32 hexadecimal digits that name the trace."""
    return trace_id(_current.get())


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hexadecimal digits that name a traceparent's trace."""
    return traceparent[3:35] if traceparent else None
