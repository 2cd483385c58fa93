"""The order of features, and what their declarations are told of an account's life."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from cluster.postgres import UnitOfWork
from features.account_state import AccountState
from features.feature import Feature, Scope, in_order
from features.life_cycle import announce_state

NOW = datetime(2026, 1, 2, tzinfo=UTC)

LOW = Feature("low")
MIDDLE = Feature("middle", needs=(LOW,))
HIGH = Feature("high", needs=(MIDDLE, LOW))


def test_a_feature_comes_after_those_it_needs() -> None:
    assert in_order([HIGH, LOW, MIDDLE]) == (LOW, MIDDLE, HIGH)
    assert in_order([MIDDLE, LOW]) == (LOW, MIDDLE)


def test_what_is_needed_has_to_be_there() -> None:
    with pytest.raises(ValueError, match="high needs middle"):
        in_order([HIGH, LOW])


def test_features_hear_of_a_new_state_in_their_order() -> None:
    heard: list[tuple[str, UUID, AccountState]] = []

    def listening(name: str, *needs: Feature) -> Feature:
        async def hear(_scope: Scope, _uow: UnitOfWork, account_id: UUID, state: AccountState, _now: datetime) -> None:
            heard.append((name, account_id, state))

        return Feature(name, needs, on_account_state=hear)

    first = listening("first")
    second = listening("second", first)
    account_id, uow = uuid4(), _no_unit_of_work()
    scope: Any = SimpleNamespace(features=in_order([second, LOW, first]))
    asyncio.run(announce_state(scope, uow, account_id, AccountState.SUSPENDED, NOW))
    assert heard == [(name, account_id, AccountState.SUSPENDED) for name in ("first", "second")]


def _no_unit_of_work() -> Any:
    return None
