"""Two people who write encrypted messages to each other, with the client, on a running platform."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from client.account import Account
from client.conversations import MessageState
from client.storage import AccountFolders, WithPassphrase
from crypto.backup import Argon2Parameters

PROTECTION = WithPassphrase("opens the database", Argon2Parameters(memory=64, time=1, lanes=1))


async def correspond(url: str, ada: str, bob: str, password: str, **options: Any) -> None:
    """`url`: of the brand, where both have accounts and no device. `options`: of the accounts."""
    with TemporaryDirectory() as folder:
        folders = AccountFolders(Path(folder))
        adas = await Account.log_in(folders, "ada", PROTECTION, url, ada, password, **options)
        bobs = await Account.log_in(folders, "bob", PROTECTION, url, bob, password, **options)

        # Both are online.
        async with running(adas), running(bobs):
            to_bob = await adas.conversation_with(bob)
            adas.write(to_bob, "Do you read me?")
            await until(bobs, lambda: texts(bobs, ada) == ["Do you read me?"])
            to_ada = bobs.conversations.find(ada)
            assert to_ada == to_bob
            bobs.write(to_ada, "I do.")
            await until(adas, lambda: texts(adas, bob) == ["Do you read me?", "I do."])
            bobs.read(to_ada)
            bobs.react(bobs.conversations.messages(to_ada)[0].number, "👍")
            await until(adas, lambda: adas.conversations.messages(to_bob)[0].state is MessageState.READ)
            await until(adas, lambda: adas.conversations.messages(to_bob)[0].reactions == {bobs.account_id: "👍"})
            numbers = [adas.safety_number(to_bob), bobs.safety_number(to_ada)]
            assert len({number.digits for number in numbers if number is not None}) == 1
            assert None not in numbers

            # A file: sent once it is at the platform, and saved as it was.
            source, target = Path(folder) / "plan.pdf", Path(folder) / "saved.pdf"
            source.write_bytes(b"north-east" * 100_000)
            await adas.send_file(to_bob, source, "The plan.")
            await until(bobs, lambda: texts(bobs, ada)[-1:] == ["The plan."])
            await bobs.save_file(bobs.conversations.messages(to_ada)[-1].number, 0, target)
            assert target.read_bytes() == source.read_bytes()
            before = ["Do you read me?", "I do.", "The plan."]

        # Bob is away. Ada writes while she is offline, and her program starts anew before it has sent anything.
        await bobs.close()
        adas.write(to_bob, "Good night.")
        await adas.close()
        adas = Account.open(folders, "ada", PROTECTION.passphrase, **options)
        async with running(adas):
            await until(adas, lambda: adas.conversations.messages(to_bob)[-1].state is MessageState.SENT)
        await adas.close()

        # Bob's session was ended; he logs in again, and is still the same device.
        bobs = Account.open(folders, "bob", PROTECTION.passphrase, **options)
        await bobs.log_in_again(password)
        async with running(bobs):
            await until(bobs, lambda: texts(bobs, ada) == [*before, "Good night."])
        await bobs.close()


@asynccontextmanager
async def running(account: Account) -> AsyncIterator[None]:
    task = asyncio.create_task(account.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(account: Account, condition: Callable[[], bool]) -> None:
    """Waits while the account changes."""
    async with asyncio.timeout(120):
        while not condition():
            with suppress(TimeoutError):
                await asyncio.wait_for(account.changed(), 0.2)


def texts(account: Account, username: str) -> list[str | None]:
    """The messages with somebody."""
    conversation_id = account.conversations.find(username)
    return [] if conversation_id is None else said(account, conversation_id)


def said(account: Account, conversation_id: str) -> list[str | None]:
    """The messages of a conversation."""
    return [each.text for each in account.conversations.messages(conversation_id)]
