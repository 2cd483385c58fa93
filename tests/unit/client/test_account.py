"""An account whose session acts for its device no more, against a server that says what each test wants."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.account import Account, DeviceRemoved
from client.api import Tokens
from client.messaging import Device
from client.storage import Database
from crypto.identity import IdentityKeyPair
from tests.unit.client.model_server import ModelServer
from tests.unit.client.test_connection import HEX, OTHER_HEX, Answer, Server, problem, tokens
from tests.unit.client.test_messaging import RANDOM

PREKEYS: Answer = 200, {"published": True, "one_time": 100, "kem": 100}
INBOX: Answer = 200, {"items": [], "next_cursor": None}
AWAY: Answer = 0, None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Of an account whose device has number 1."""
    database = Database(tmp_path / "account.db", bytes(32))
    keys = ModelServer().directory.public
    with database.transaction():
        device = Device(database, RANDOM)
        device.prepare(HEX)
        device.registered(1)
        for name, value in {
            "url": {"url": "http://t/b"},
            "username": {"username": "ada"},
            "tokens": asdict(Tokens(HEX, OTHER_HEX, "refresh 0")),
            "directory_keys": {"log": keys.log.hex(), "vrf": keys.vrf.hex()},
        }.items():
            database.execute("insert into state (name, value) values (?, ?)", name, json.dumps(value).encode())
    yield database
    database.close()


def listed(identity: IdentityKeyPair, number: int) -> dict[str, Any]:
    key = base64.b64encode(identity.public.encode()).decode()
    return {"number": number, "identity_key": key, "current": False}


def devices(*items: dict[str, Any]) -> Answer:
    return 200, {"items": list(items), "next_number": 3, "account_keys": None}


def server(database: Database, *of_devices: Answer, **paths: list[Answer]) -> tuple[Server, Account]:
    """The session acts for no device at first."""
    made = Server(
        auth__refresh=[tokens(1)],
        prekeys=[problem(409, "not_a_device"), PREKEYS],
        messaging__inbox=[INBOX],
        realtime__ticket=[(503, None)],
        devices=list(of_devices),
        **paths,
    )
    return made, Account(database, transport=httpx.MockTransport(made))


def asked(made: Server) -> list[tuple[str, str]]:
    """What was asked about devices: methods and paths."""
    seen = [(request.method, request.url.path.removeprefix("/b/v1")) for request in made.seen]
    return [each for each in seen if each[1].startswith("/devices")]


async def test_a_session_acts_for_its_device_again_although_the_server_was_away(database: Database) -> None:
    mine = listed(Device(database, RANDOM).identity, 1)
    made, account = server(
        database, AWAY, (500, None), problem(403, "x"), devices(mine), devices__1__session=[AWAY, (200, {})]
    )
    made.answers["/b/v1/prekeys"] = [problem(409, "not_a_device")] * 5 + [PREKEYS]
    running = asyncio.create_task(account.run())
    async with asyncio.timeout(60):
        while [request.url.path for request in made.seen].count("/b/v1/prekeys") < 6:
            account.messenger.connected()  # what waits is tried at once
            account._exchange.wake()
            await asyncio.sleep(0)
            assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert asked(made)[-2:] == [("GET", "/devices"), ("PUT", "/devices/1/session")]
    assert ("POST", "/devices") not in asked(made)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_removed_device_says_so_and_does_not_come_back(database: Database, others: int) -> None:
    made, account = server(database, devices(*[listed(IdentityKeyPair.generate(RANDOM), 2)] * others))
    with pytest.raises(DeviceRemoved):
        await asyncio.wait_for(account.run(), 60)
    assert asked(made) == [("GET", "/devices")]


async def test_a_removed_device_does_not_come_back_by_a_log_in(database: Database) -> None:
    made, account = server(database, devices(), auth__log_in=[tokens(2)])
    with pytest.raises(DeviceRemoved):
        await account.log_in_again("password")
    assert asked(made) == [("GET", "/devices")]
