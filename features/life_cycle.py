"""The life of an account through all features of a brand: changes of state, export, disclosure, erasure."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from cluster.postgres import Database, UnitOfWork
from features.account_rows import disclose_rows, erase_rows, export_rows
from features.account_state import AccountState
from features.feature import ExportedRow, Feature, Scope, in_order

ERASED_AT_ONCE = 500
"""Rows that one transaction of an erasure deletes, about."""


async def announce_state(scope: Scope, uow: UnitOfWork, account_id: UUID, state: AccountState, now: datetime) -> None:
    """Tells every feature of an account's new state, in the transaction of the change."""
    for feature in scope.features:
        if feature.on_account_state is not None:
            await feature.on_account_state(scope, uow, account_id, state, now)


async def export_account(uow: UnitOfWork, features: Sequence[Feature], account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields everything that the features know about an account. The unit of work must be a writing one: rows are read
    through cursors, which need a transaction."""
    for feature in in_order(features):
        rows = feature.export(uow, account_id) if feature.export else export_rows(uow, feature.tables, account_id)
        async for row in rows:
            yield row


async def disclose_account(scope: Scope, uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields what authorities get about an account (docs/security/metadata.md). The unit of work must be a writing one,
    as for export_account."""
    for feature in in_order(scope.features):
        if feature.disclose is not None:
            rows = feature.disclose(scope, uow, account_id)
        else:
            rows = disclose_rows(uow, feature.tables, account_id)
        async for row in rows:
            yield row


async def erase_account(
    database: Database,
    features: Sequence[Feature],
    account_id: UUID,
    now: Callable[[], datetime],
    claim: Callable[[UnitOfWork], Awaitable[bool]],
    *,
    limit: int = ERASED_AT_ONCE,
) -> None:
    """Erases an account from every feature, those that need others first, in many short transactions. It can be
    interrupted at any time and begun again. Each transaction begins with `claim`, which returns whether the account may
    be erased and nobody else does it; this ends where it may not (or no longer: the account's own row is the last)."""
    for feature in reversed(in_order(features)):
        more = True
        while more:
            async with database.unit_of_work() as uow:
                if not await claim(uow):
                    return
                if feature.erase is not None:
                    more = await feature.erase(uow, account_id, limit, now())
                else:
                    more = await erase_rows(uow, feature.tables, account_id, limit)
                await uow.commit()
