"""Groups of 1,500 members, each with a connected device, through a whole platform on this machine.

`create_s` begins before the founder's client makes the one commit that adds everybody (`commit_s`), goes on until the
server has accepted it (`accept_s`), and ends when every device has its Welcome and the tree (`downloads_s`). Entering
is not part of it, since each device does it for itself; one of them enters here, to see that it could.

`delivery_ms` is the time from before a message of 1 KiB is sent over HTTP until the last of the other devices has it
over its socket. The baseline is the time in which as many sockets of a bare echo server of the same WebSocket library
get their echo of the same signal, in the same run. Everything (HAProxy, replicas, hosts, Postgres with fsync, the
process with all the devices) shares the machine's cores.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.figure import Extra, Figure, percentiles, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    import aiohttp

    from benchmarks.mls.large_group import LargeGroup
    from benchmarks.platform.pairs import Person
    from cluster.local.installation import Installation

MEMBERS = sized(1500, 12)
FIGURES = (f"messaging.group_{MEMBERS}_create_s", f"messaging.group_{MEMBERS}_delivery_ms")

_CONNECTIONS = 32
"""Over which devices download, one after the other."""
_MESSAGES = sized(20, 2)
_PAUSE_S = sized(0.5, 0.0)
"""Between messages: the platform is to have forgotten the last one."""
_LATE_S = sized(10.0, 60.0)
_BYTES = 1024


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Starts the platform, founds the group, lets everybody listen, stops the platform."""
    import uvloop

    from benchmarks.platform.installation import running_platform
    from benchmarks.platform.pairs import api_address

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with running_platform() as installation:
        api = f"{api_address(installation)}/v1"
        group, people = uvloop.run(_members(installation))
        created = uvloop.run(_create(api, group, people))
        if wanted(FIGURES[0]):
            yield created
        if wanted(FIGURES[1]):
            yield uvloop.run(_deliver(api, group, people))


async def _members(installation: Installation) -> tuple[LargeGroup, list[Person]]:
    from benchmarks.mls.large_group import GroupDevice, LargeGroup
    from benchmarks.platform.members import add_members
    from cluster.ids import new_id

    now = datetime.now(UTC)
    devices = [GroupDevice.new(new_id(now)) for _ in range(MEMBERS)]
    keys = [(device.account, device.identity.public.encode()) for device in devices]
    return LargeGroup(devices), await add_members(installation, keys)


@contextlib.asynccontextmanager
async def _client() -> AsyncIterator[aiohttp.ClientSession]:
    import aiohttp

    connections = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connections, raise_for_status=True) as client:
        yield client


async def _create(api: str, group: LargeGroup, people: Sequence[Person]) -> Figure:
    founder = people[0]
    async with _client() as client:
        info = {"group_info": base64.b64encode(group.group.group_info()).decode()}
        await _post(client, f"{api}/groups", founder, info)
        begun = time.perf_counter()
        commit = await asyncio.to_thread(group.add_everybody)
        parts = {"message": commit.message, "welcome": commit.welcome, "group_info": commit.group_info}
        body = {name: base64.b64encode(part).decode() for name, part in parts.items() if part is not None}
        committed = time.perf_counter()
        change = {"client_id": str(uuid4()), **body}
        await _post(client, f"{api}/group-changes", founder, change)
        accepted = time.perf_counter()
        received = await asyncio.gather(*(_download(client, api, group, each) for each in people[1:]))
        downloaded = time.perf_counter()
    group.group.apply(commit)
    await asyncio.to_thread(group.join, group.devices[-1], *received[-1])
    extra: dict[str, Extra] = {
        "commit_s": committed - begun,
        "accept_s": accepted - committed,
        "downloads_s": downloaded - accepted,
        "downloaded_mb": sum(len(welcome) + len(tree) for welcome, tree in received) / 1e6,
        "members": len(people),
    }
    return Figure(FIGURES[0], downloaded - begun, "s", extra=extra)


async def _post(client: aiohttp.ClientSession, url: str, person: Person, body: dict[str, Any]) -> None:
    """Sends again what a host that stalled, and is replaced, did not answer: its time is part of the latency."""
    while True:
        async with client.post(url, json=body, headers=person.headers, raise_for_status=False) as answer:
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                answer.raise_for_status()
                return
        await asyncio.sleep(1)


async def _download(client: aiohttp.ClientSession, api: str, group: LargeGroup, person: Person) -> tuple[bytes, bytes]:
    """Returns the Welcome of a device, and the tree with which it enters."""
    async with client.get(f"{api}/messaging/inbox", headers=person.headers) as answer:
        [item] = (await answer.json())["items"]
    if (item["conversation_id"], item["content"]) != (str(group.id), "welcome"):
        raise RuntimeError(f"{item['content']} instead of a Welcome")
    async with client.get(f"{api}/groups/{group.id}/trees/{item['epoch']}", headers=person.headers) as answer:
        tree = await answer.read()
    return base64.b64decode(item["envelope"]), tree


async def _deliver(api: str, group: LargeGroup, people: Sequence[Person]) -> Figure:
    from benchmarks.stack.cheap_sockets import ECHO
    from benchmarks.stack.signal_sockets import Signals, listen

    signals, founder = Signals(), people[0]
    sockets = await listen(api.removesuffix("/v1"), people[1:], signals)
    last, first, lost = [], [], 0
    async with _client() as client:
        for _ in range(_MESSAGES):
            await asyncio.sleep(_PAUSE_S)
            message = base64.b64encode(group.group.encrypt(os.urandom(_BYTES))).decode()
            body: dict[str, Any] = {"client_id": str(uuid4()), "message": message}
            all_came, begun = signals.expect(len(sockets)), time.monotonic_ns()
            await _post(client, f"{api}/groups/{group.id}/messages", founder, body)
            try:
                last.append((await asyncio.wait_for(all_came, _LATE_S) - begun) / 1e6)
                first.append((signals.first_ns - begun) / 1e6)
            except TimeoutError:
                lost += signals.missing
    for socket in sockets:
        socket.transport.close()
    echo_ms = await _echoes(len(sockets))
    return Figure(
        FIGURES[1],
        quantile(last, 0.5),
        "ms",
        ECHO,
        quantile(echo_ms, 0.5),
        len(last),
        {
            **percentiles(last),
            "first_p50": quantile(first, 0.5),
            "lost": lost,
            "devices": len(sockets),
            "bytes": _BYTES,
        },
    )


async def _echoes(count: int) -> list[float]:
    """Milliseconds until so many sockets have an echo."""
    import msgpack

    from benchmarks.stack.cheap_sockets import echo_server, open_socket
    from benchmarks.stack.signal_sockets import Signals, SignalSocket, echo_once

    signals = Signals()
    frame = msgpack.packb({"t": "signal", "kind": "message", "data": {"envelope": os.urandom(_BYTES)}})
    async with echo_server() as url:
        sockets = [
            await open_socket(url, {"t": "welcome"}, lambda first, opened: SignalSocket(first, opened, signals))
            for _ in range(count)
        ]
        return [await echo_once(sockets, signals, frame) for _ in range(_MESSAGES)]
