"""docs/security/metadata.md, read."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/security/metadata.md"


def listed_columns() -> list[str]:
    """Returns `table.column` of each row of the page."""
    return re.findall(r"^\| `(\w+\.\w+)` \| \S", PAGE.read_text(), re.MULTILINE)
