"""`entativa accounts`: shows, suspends and exports single accounts."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import orjson
import typer
from pydantic import SecretStr

from api.platform import Platform
from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.settings import Settings
from deployments.arguments import Brand
from deployments.platform import open_platform
from features.accounts.errors import NoSuchAccount
from features.accounts.service import AccountService
from features.auth.service import AuthService
from features.life_cycle import export_account
from features.profiles.service import ProfileService

app = typer.Typer(no_args_is_help=True, help="Single accounts.")

Username = Annotated[str, typer.Argument(help="The account's username.")]


@app.command()
def show(brand: Brand, username: Username) -> None:
    """Print an account's id and state, and when it will be erased, as JSON."""
    run_for(brand, username, _show)


@app.command()
def suspend(brand: Brand, username: Username) -> None:
    """Suspend an account: nobody sees it, all its sessions end, and its owner cannot log in."""
    run_for(brand, username, _suspend)


@app.command()
def unsuspend(brand: Brand, username: Username) -> None:
    """End a suspension. The account is again what it was before."""
    run_for(brand, username, _unsuspend)


@app.command()
def export(brand: Brand, username: Username) -> None:
    """Print everything that the platform knows about an account, as JSON lines: the table, and one of its rows."""
    run_for(brand, username, _export)


async def _show(platform: Platform, account_id: UUID) -> None:
    async with platform.database.unit_of_work(read_only=True) as uow:
        account = await platform.service(AccountService).get(uow, account_id)
    if account is None:
        raise NoSuchAccount
    life = account.life
    print_json({"id": account_id, "state": life.state, "deletes_at": life.deletes_at, "resumes_as": life.resumes_as})


async def _suspend(platform: Platform, account_id: UUID) -> None:
    async with platform.database.unit_of_work() as uow:
        await platform.service(AuthService).account_life.suspend(uow, account_id, platform.now())
        await uow.commit()
    await _show(platform, account_id)


async def _unsuspend(platform: Platform, account_id: UUID) -> None:
    async with platform.database.unit_of_work() as uow:
        await platform.service(AuthService).account_life.end_suspension(uow, account_id, platform.now())
        await uow.commit()
    await _show(platform, account_id)


async def _export(platform: Platform, account_id: UUID) -> None:
    async with platform.database.unit_of_work() as uow:
        async for table, row in export_account(uow, platform.features, account_id):
            print_json({"table": table, "row": dict(row)})


def print_json(value: object) -> None:
    """Writes a line of JSON to the output."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def run_for(brand: str, username: str, work: Callable[[Platform, UUID], Awaitable[None]]) -> None:
    """Does something with the account of a username, whatever its state. Raises DomainError."""

    async def run() -> None:
        async with open_without_entities(brand) as platform:
            async with platform.database.unit_of_work(read_only=True) as uow:
                account_id = await platform.service(ProfileService).holder(uow, username)
            if account_id is None:
                raise NoSuchAccount
            await work(platform, account_id)

    asyncio.run(run())


@asynccontextmanager
async def open_without_entities(brand: str) -> AsyncIterator[Platform]:
    """A platform without entities: running processes update theirs from the event log."""
    installation = Installation(sorted(BRANDS))
    environment = installation.environment()
    settings = Settings(
        databases={brand: SecretStr(installation.databases()[brand])},
        redis_url=SecretStr(environment["ENTATIVA_REDIS_URL"]),
        keys_directory=installation.home / "keys",
        cluster_secret=SecretStr(environment["ENTATIVA_CLUSTER_SECRET"]),
        database_pool_size=2,
    )
    platform = await open_platform(BRANDS[brand], settings, limited=False)
    try:
        yield platform
    finally:
        await platform.close()
