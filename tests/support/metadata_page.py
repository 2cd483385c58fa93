"""docs/security/metadata.md, read."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/security/metadata.md"
_REPORTED = "## Reported messages"


def listed_columns() -> list[str]:
    """Returns `table.column` of each row of what the servers know about messaging."""
    return _columns(_parts()[0])


def reported_columns() -> list[str]:
    """Returns `table.column` of each row of what people have shown to moderators."""
    return _columns(_parts()[1])


def _parts() -> list[str]:
    metadata, reported = PAGE.read_text().split(_REPORTED)
    return [metadata, reported]


def _columns(part: str) -> list[str]:
    return re.findall(r"^\| `(\w+\.\w+)` \| \S", part, re.MULTILINE)
