"""Trace context (W3C, section 3.2)."""

import re

import pytest

from cluster.trace import current_trace_id, current_traceparent, start_trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_valid_header_is_continued_under_a_new_span() -> None:
    header = f"00-{TRACE}-00f067aa0ba902b7-01"
    assert start_trace(header) != header
    assert current_trace_id() == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-extra",
    ],
)
def test_anything_else_begins_a_trace(header: str | None) -> None:
    started = start_trace(header)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", started)
    assert current_traceparent() == started
    assert current_trace_id() not in {TRACE, "0" * 32}
