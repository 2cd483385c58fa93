"""docs/security/metadata.md lists every column that the features of messaging have, and no other."""

from tests.support.features import FEATURES
from tests.support.metadata_page import listed_columns
from tests.support.schema import recorded_tables

MESSAGING = {"attachments", "backups", "devices", "groups", "messaging"}
"""Features whose tables hold what the servers know about messaging."""


def test_every_column_of_messaging_is_listed() -> None:
    tables = [table.name for feature in FEATURES if feature.name in MESSAGING for table in feature.tables]
    columns = [f"{name}.{column}" for name in tables for column in recorded_tables()[name].columns]
    assert columns
    assert sorted(listed_columns()) == sorted(columns)


def test_other_features_disclose_nothing() -> None:
    others = [feature for feature in FEATURES if feature.name not in MESSAGING]
    assert [table.name for feature in others for table in feature.tables if table.disclosed is not None] == []
    assert [feature.name for feature in others if feature.disclose is not None] == []
