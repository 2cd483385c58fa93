"""Links in texts, and what a page says about itself.

Pages are anybody's, so they are read with expressions whose work is linear in their length: Python's HTML parser takes
quadratic time for some.
"""

import re
from dataclasses import dataclass
from html import unescape
from unicodedata import category

from cluster.web import FetchedPage
from features.text import has_too_many_marks

_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_CLOSING = {")": "(", "]": "[", "}": "{"}
_MAX_URL = 2_000
_MAX_TITLE, _MAX_DESCRIPTION, _MAX_SITE = 200, 500, 100

_MAX_HEAD = 256 * 1024
"""Bytes at the beginning of a page in which its title is looked for."""
_META = re.compile(r"<meta\b([^<>]{0,3000})>", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]{0,300}>([^<]{0,2000})", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""\b(name|property|content)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class PageSummary:
    """What a page says about itself; at most 200, 500 and 100 characters."""

    title: str
    description: str | None
    site_name: str | None


def first_link(text: str) -> str | None:
    """Returns the first address of a web page in a text, without the punctuation after it; None if there is none."""
    for found in _URL.finditer(text):
        url = found[0][: _MAX_URL + 1]
        while url[-1] in ".,;:!?'\"<>" or _is_left_over(url):
            url = url[:-1]
        if len("https://") < len(url) <= _MAX_URL:
            return url
    return None


def _is_left_over(url: str) -> bool:
    """Returns whether an address ends with a bracket that was opened before it."""
    opening = _CLOSING.get(url[-1])
    return opening is not None and url.count(opening) < url.count(url[-1])


def summarise(page: FetchedPage) -> PageSummary | None:
    """Returns what a page says about itself, None if it has no title."""
    head = _decoded(page)
    meta: dict[str, str] = {}
    for tag in _META.finditer(head):
        found = {name.lower(): unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(tag[1])}
        name = (found.get("property") or found.get("name") or "").lower()
        meta.setdefault(name, found.get("content", ""))
    named = _TITLE.search(head)
    # A page may announce a title in which nothing is shown, and still have one.
    title = _line(meta.get("og:title", ""), _MAX_TITLE) or _line(unescape(named[1]) if named else "", _MAX_TITLE)
    if not title:
        return None
    description = _line(meta.get("og:description", ""), _MAX_DESCRIPTION)
    description = description or _line(meta.get("description", ""), _MAX_DESCRIPTION)
    return PageSummary(title, description or None, _line(meta.get("og:site_name") or "", _MAX_SITE) or None)


def _decoded(page: FetchedPage) -> str:
    head = page.body[:_MAX_HEAD]
    try:
        return head.decode(page.charset or "utf-8", errors="replace")
    except (LookupError, ValueError):  # an encoding that there is not, or that is not one of texts
        return head.decode("utf-8", errors="replace")


def _line(text: str, max_characters: int) -> str:
    """Returns a text as one line, without what is not shown, cut off; an empty one for what covers other lines."""
    breaks, hidden = ("Cc", "Zl", "Zp"), ("Cf", "Cs")
    kept = (" " if category(sign) in breaks else sign for sign in text if category(sign) not in hidden)
    line = " ".join("".join(kept).split())[:max_characters].rstrip()
    return "" if has_too_many_marks(line) else line
