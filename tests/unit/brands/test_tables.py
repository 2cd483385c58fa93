"""Every table of the schema has one owner, whose declaration fits it."""

import pytest

from actors.runtime.store.tables import RUNTIME_TABLES
from cluster.tables import PLATFORM_TABLES, Table
from features.feature import Feature
from tests.support.features import FEATURES, needs_of
from tests.support.schema import recorded_tables

OWNED = [*PLATFORM_TABLES, *RUNTIME_TABLES, *(table for feature in FEATURES for table in feature.tables)]


def test_every_table_has_exactly_one_owner() -> None:
    assert sorted(table.name for table in OWNED) == sorted(recorded_tables())


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_a_declaration_names_columns_of_its_table(table: Table) -> None:
    named = {*table.account_columns, *table.secrets}
    named |= {table.distributed_by} if table.distributed_by else set()
    named |= {table.expiry.column} if table.expiry else set()
    assert named <= recorded_tables()[table.name].columns


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_account_in_a_table_is_declared(feature: Feature) -> None:
    """So that its rows are erased with the account, and exported if they are about it."""
    for table in feature.tables:
        references = recorded_tables()[table.name].references
        accounts = {reference.column for reference in references if reference.table == "accounts"}
        assert accounts <= set(table.account_columns), table.name


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_parts_are_deleted_with_their_whole(feature: Feature) -> None:
    for table in feature.tables:
        if (whole := table.part_of) is not None:
            assert any(
                (reference.column, reference.table, reference.cascades) == (whole.column, whole.table, True)
                for reference in recorded_tables()[table.name].references
            ), table.name


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_needs_the_owners_of_what_its_tables_refer_to(feature: Feature) -> None:
    """Erasing takes those that need others first, so that no cascade takes rows which others count."""
    own = {table.name for table in feature.tables}
    needed = {table.name for need in needs_of(feature) for table in need.tables}
    for table in own:
        assert {reference.table for reference in recorded_tables()[table].references} <= own | needed
