"""docs/security/metadata.md lists every column that the features of messaging have, and no other."""

import re
from pathlib import Path

from tests.support.features import FEATURES
from tests.support.schema import recorded_tables

PAGE = Path(__file__).parents[3] / "docs/security/metadata.md"
MESSAGING = {"attachments", "backups", "devices", "groups", "messaging"}
"""Features whose tables hold what the servers know about messaging."""


def test_every_column_of_messaging_is_listed() -> None:
    tables = [table.name for feature in FEATURES if feature.name in MESSAGING for table in feature.tables]
    columns = [f"{name}.{column}" for name in tables for column in recorded_tables()[name].columns]
    listed = re.findall(r"^\| `(\w+\.\w+)` \| \S", PAGE.read_text(), re.MULTILINE)
    assert columns
    assert sorted(listed) == sorted(columns)
