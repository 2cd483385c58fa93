"""docs/security/metadata.md lists every column that the features of messaging have, and no other."""

from tests.support.features import FEATURES
from tests.support.metadata_page import listed_columns, reported_columns
from tests.support.schema import recorded_tables

MESSAGING = {"attachments", "backups", "devices", "group_invitations", "groups", "messaging"}
"""Features whose tables hold what the servers know about messaging."""


def columns_of(features: set[str]) -> list[str]:
    tables = [table.name for feature in FEATURES if feature.name in features for table in feature.tables]
    return sorted(f"{name}.{column}" for name in tables for column in recorded_tables()[name].columns)


def test_every_column_of_messaging_is_listed() -> None:
    assert columns_of(MESSAGING)
    assert sorted(listed_columns()) == columns_of(MESSAGING)


def test_every_column_of_reported_messages_is_listed() -> None:
    assert sorted(reported_columns()) == columns_of({"message_reports"})


def test_other_features_disclose_nothing() -> None:
    others = [feature for feature in FEATURES if feature.name not in MESSAGING]
    assert [table.name for feature in others for table in feature.tables if table.disclosed is not None] == []
    assert [feature.name for feature in others if feature.disclose is not None] == []
