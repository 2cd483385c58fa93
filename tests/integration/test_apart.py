"""The rule for who may learn of whom, as a function and in SQL: one agrees with the other in every case."""

from datetime import UTC, datetime
from itertools import product
from uuid import UUID, uuid4

from cluster.postgres import UnitOfWork, connect_database
from features.account_state import AccountState
from features.relationships.visibility import apart, are_apart

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_APART = f"select {apart('$1::uuid', '$2::uuid')}"


async def _account(uow: UnitOfWork, state: AccountState) -> UUID:
    account_id = uuid4()
    await uow.execute(
        """insert into accounts (id, email, password_hash, created_at, state, deletes_at, resumes_as)
        values ($1, $2, '', $3, $4, $5, $6)""",
        account_id,
        f"{account_id}@example.org",
        NOW,
        state,
        NOW if state in (AccountState.DELETING, AccountState.DELETED) else None,
        "active" if state is AccountState.SUSPENDED else None,
    )
    return account_id


async def test_sql_and_function_agree_on_every_two_accounts(database_address: str) -> None:
    async with connect_database(database_address, pool_size=1) as database, database.unit_of_work() as uow:
        for mine, theirs, block in product(AccountState, AccountState, ("none", "mine", "theirs")):
            me, other = await _account(uow, mine), await _account(uow, theirs)
            if block != "none":
                pair = (me, other) if block == "mine" else (other, me)
                await uow.execute("insert into blocks values ($1, $2, $3)", *pair, NOW)
            found = await uow.fetchval(_APART, me, other)
            assert found == are_apart(blocked=block != "none", states=(mine, theirs)), (mine, theirs, block)


async def test_nobody_is_apart_from_those_who_are_not_active(database_address: str) -> None:
    async with connect_database(database_address, pool_size=1) as database, database.unit_of_work() as uow:
        for state in AccountState:
            account_id = await _account(uow, state)
            assert await uow.fetchval(_APART, None, account_id) == (state is not AccountState.ACTIVE)
