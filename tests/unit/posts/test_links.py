"""Links in texts, and what pages say about themselves."""

import time

import pytest

from cluster.web import FetchedPage
from features.posts.links import PageSummary, first_link, summarise


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Look: https://example.org/a?b=c#d.", "https://example.org/a?b=c#d"),
        ("(see http://example.org/a_(b))", "http://example.org/a_(b)"),
        ("HTTPS://EXAMPLE.ORG, and http://other.example", "HTTPS://EXAMPLE.ORG"),
        ('"https://example.org/"', "https://example.org/"),
        ("https://example.org/\u00e9", "https://example.org/"),
        ("https://", None),
        ("ftp://example.org example.org", None),
        ("https://example.org/" + "x" * 2_000 + " https://short.example", "https://short.example"),
        ("", None),
    ],
)
def test_the_first_link_of_a_text(text: str, link: str | None) -> None:
    assert first_link(text) == link


def _summary(body: str, charset: str | None = None) -> PageSummary | None:
    return summarise(FetchedPage("https://example.org/", body.encode(charset or "utf-8"), charset))


def test_what_a_page_says_about_itself() -> None:
    page = """<html><head><TITLE>Plain</TITLE>
    <meta property="og:title" content="Lisbon &amp; more">
    <meta content='A city
    on seven hills' name=description>
    <meta property=og:site_name content=Example></head><title>later</title>"""
    assert _summary(page) == PageSummary("Lisbon & more", "A city on seven hills", "Example")
    assert _summary("<title lang=en>\u202e Only \x00 a title</title>") == PageSummary("Only a title", None, None)
    empty = "<meta property=og:title content=' '><meta property=og:description content='\u200b'>"
    whole = f"{empty}<title>Lisbon</title><meta name=description content=Hills>"
    assert _summary(whole) == PageSummary("Lisbon", "Hills", None)
    assert _summary(empty) is None
    assert _summary("<title>S\u00e3o</title>", "latin-1") == PageSummary("S\u00e3o", None, None)
    assert _summary("<title>x" * 3 + "y" * 500) == PageSummary("x", None, None)
    assert _summary("no page") is None
    assert _summary("<title> \u200b</title>") is None
    assert summarise(FetchedPage("", b"<title>\xff</title>", "no such charset")) == PageSummary("\ufffd", None, None)
    assert summarise(FetchedPage("", b"<title>a</title>", "hex")) == PageSummary("a", None, None)
    long = _summary(f"<title>{'t' * 900}</title><meta name=description content={'d' * 900}>")
    assert long is not None
    assert (len(long.title), len(long.description or "")) == (200, 500)


@pytest.mark.parametrize(
    "part",
    [
        "<",
        "<meta ",
        "<meta",
        "<title",
        "<title>",
        "name",
        "name=",
        "<meta name='",
        "<!--",
        "&#",
        "a" * 50 + "=",
        "\x00",
    ],
)
def test_hostile_pages_take_time_in_proportion(part: str) -> None:
    """Twice the page takes at most a few times as long, where quadratic work would take ten minutes."""
    begun = time.process_time()
    _summary(part * (500_000 // len(part)))
    assert time.process_time() - begun < 60
