"""Readable names for devices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.auth.devices import device_name

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/120.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.2 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "curl"),
        ("Entativa/1.0 (Android 14)", "Entativa on Android"),
        (None, "Unknown device"),
        (" \t ", "Unknown device"),
        ("/", "Unknown device"),
    ],
)
def test_names(user_agent: str | None, name: str) -> None:
    assert device_name(user_agent) == name


@given(st.text())
def test_any_header_gives_a_short_printable_name(user_agent: str) -> None:
    name = device_name(user_agent)
    assert name.isprintable()
    assert 1 <= len(name) <= 80
