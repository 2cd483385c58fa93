"""A client's backup on the platform, opened on a new device by its recovery key or by a PIN with two operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from client.account import Account
from client.backup import PLATFORM, NoPinLeft, NotTheKey, OperatorsUnavailable
from client.storage import AccountFolders
from crypto.backup import PinAttempt
from features.devices.directory_epochs import close_due_epoch
from pin_operator.limiter import NoPin
from tests.support.correspondence import PROTECTION
from tests.support.environment import PASSWORD, ROOT, Environment
from tests.support.pin_operators import RNG, PinOperators, pin_operators
from tests.support.servers import Servers

ADDRESSES = ("http://operator-1", "http://operator-2")
TALK, BRUNO = "c" * 32, "b" * 32


@pytest.fixture
async def operators(servers: Servers) -> AsyncIterator[PinOperators]:
    async with pin_operators(servers) as made:
        yield made


async def log_in(entativa: Environment, folders: AccountFolders, name: str, operators: PinOperators) -> Account:
    transport = httpx.ASGITransport(app=create_app(entativa.platform), raise_app_exceptions=False)
    return await Account.log_in(
        *(folders, name, PROTECTION, ROOT, "ada", PASSWORD),
        replace=True,
        transport=transport,
        operator_transport=operators.transport,
    )


def write(account: Account, *texts: str) -> None:
    """Messages that the server has accepted."""
    database = account._database
    database.execute("insert into conversations (id, peer) values (?, ?) on conflict do nothing", TALK, BRUNO)
    for text in texts:
        database.execute(
            "insert into messages (conversation_id, account_id, device, message_id, seq, sent_at, written_at, text)"
            " values (?, ?, 1, ?, 1, 1, 1, ?)",
            *(TALK, account.account_id, f"{text:0>32}", text),
        )


def texts(account: Account) -> list[str]:
    return [text for (text,) in account._database.rows("select text from messages order by message_id")]


async def test_a_new_device_restores_from_the_platform(
    entativa: Environment, operators: PinOperators, tmp_path: Path
) -> None:
    await entativa.member("ada")
    assert await close_due_epoch(entativa.platform, entativa.clock())
    folders = AccountFolders(tmp_path / "accounts")
    lost = await log_in(entativa, folders, "lost", operators)
    key = await lost.backups.create(PLATFORM)
    write(lost, "1", "2")
    assert (await lost.backups.write()).records == 3
    write(lost, "3")
    assert (await lost.backups.write()).records == 1

    await lost.backups.set_pin("2580", ADDRESSES)
    write(lost, "4")
    assert (await lost.backups.write()).records == 1
    await lost.close()

    new = await log_in(entativa, folders, "new", operators)
    assert await new.backups.restore_with_words(PLATFORM, key.words()) == 4
    assert texts(new) == ["1", "2", "3", "4"]
    await new.close()

    newer = await log_in(entativa, folders, "newer", operators)
    with pytest.raises(NotTheKey, match="9 guesses are left"):
        await newer.backups.restore_with_pin(PLATFORM, "0000", ADDRESSES)
    assert await newer.backups.restore_with_pin(PLATFORM, "2580", ADDRESSES) == 4
    holder = f"entativa:{UUID(newer.account_id)}"
    assert [await limiter.remaining(holder) for limiter in operators.limiters] == [10, 10]
    for limiter in operators.limiters:
        for _ in range(10):
            await limiter.guess(holder, PinAttempt("0000", RNG).element)
    with pytest.raises(NoPinLeft):
        await newer.backups.restore_with_pin(PLATFORM, "2580", ADDRESSES)
    await operators.stop()
    with pytest.raises(OperatorsUnavailable):
        await newer.backups.restore_with_pin(PLATFORM, "2580", ADDRESSES)
    await operators.start()
    await newer.backups.delete()
    for limiter in operators.limiters:
        with pytest.raises(NoPin):
            await limiter.remaining(holder)
    await newer.close()
