"""Messages of two people through a whole platform on this machine: HTTP, group commit, signals to sockets.

Everything (HAProxy, replicas, hosts, Postgres with fsync, wrk) shares the machine's cores. The baseline of the rates is
a bare Serve deployment that does nothing, measured in turns. `cpu_ms` is CPU time of all the platform's processes per
message. A message is 1 KiB of ciphertext for the one device of the other person; a request counts when it is
answered, that is, when its message is durable.

Delivery is measured from before a request is sent until its signal has come over the other person's socket, at a fixed
rate (an open loop), by one process that has both ends. `lost` signals are in the inboxes all the same.

`stored_bytes` are those of the tables with their indexes, for a message that waits for one device: `message` is the
part that a message has whoever it is for, `offline_device` that of each device that it waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from benchmarks.platform.pairs import Pair, Person
    from cluster.local.installation import Installation

FIGURES = (
    "messaging.http_one_conversation_per_s",
    "messaging.http_own_conversations_per_s",
    "messaging.delivery_ms",
    "messaging.drain_10k_s",
    "messaging.stored_bytes",
)

_RUNS, _SECONDS, _WARM_UP_SECONDS = sized(3, 1), sized(8, 1), sized(4, 1)
_PAIRS = sized(16, 2)
_RATE, _RATE_SECONDS = sized(500, 20), sized(20, 1)
_WAITING, _PAGE = sized(10_000, 200), sized(500, 100)
_LATE_S = sized(10.0, 5.0)
_DEADLINE_S = 600
_WAIT = """
with numbered as (select number, gen_random_uuid() as id from generate_series(1, $5::int) as number), accepted as (
    insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
    select $1, number, $2, 1, id, decode(repeat('00', 16), 'hex'), now() from numbered
)
insert into message_payloads (account_id, device, conversation_id, seq, previous, sender_account_id, sender_device,
    client_id, sent_at, expires_at, ciphertext)
select $3, 1, $1, number, number - 1, $2, 1, id, now(), now() + interval '30 days', $4 from numbered
"""
_STORED = "select pg_total_relation_size($1::text::regclass)"


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Starts the platform, measures what is wanted, stops it."""
    from benchmarks.platform.installation import BARE, running_platform
    from benchmarks.platform.pairs import api_address, forget_messages, open_pairs

    with running_platform() as installation:
        pairs, address = open_pairs(installation, _PAIRS), api_address(installation)
        bare = f"{installation.base_url}/{BARE}/"
        for name, callers in ((FIGURES[0], pairs[:1]), (FIGURES[1], pairs)):
            if wanted(name):
                yield _rate(installation, name, address, bare, callers)
        if wanted(FIGURES[2]):
            asyncio.run(forget_messages(installation))
            yield asyncio.run(asyncio.wait_for(_delivery(installation, address, pairs), _DEADLINE_S))
        if wanted(FIGURES[3]) or wanted(FIGURES[4]):
            for figure in asyncio.run(asyncio.wait_for(_drain(installation, address, pairs[0]), _DEADLINE_S)):
                if wanted(figure.figure):
                    yield figure


def _rate(installation: Installation, name: str, address: str, bare: str, pairs: Sequence[Pair]) -> Figure:
    from benchmarks.platform.installation import cpu_seconds
    from benchmarks.platform.load import Load, load
    from benchmarks.platform.pairs import CIPHERTEXT_BYTES, forget_messages

    lines = [pair.line(address) for pair in pairs]
    url = f"{address}{pairs[0].path}"

    def send(seconds: int) -> tuple[Load, float]:
        before = cpu_seconds(installation)
        run = load(url, seconds=seconds, tokens=lines, method="POST")
        return run, 1000 * (cpu_seconds(installation) - before) / run.requests

    send(_WARM_UP_SECONDS)
    runs, nothing = [], []
    for _ in range(_RUNS):
        asyncio.run(forget_messages(installation))
        runs.append(send(_SECONDS))
        nothing.append(load(bare, seconds=_SECONDS).per_second)
    loads = [run for run, _ in runs]
    return Figure(
        name,
        quantile([run.per_second for run in loads], 0.5),
        "1/s",
        "bare Serve no-op",
        quantile(nothing, 0.5),
        _RUNS,
        {
            **{f"{p}_ms": quantile([getattr(run, p) for run in loads], 0.5) for p in ("p50", "p95", "p99")},
            "cpu_ms": quantile([cpu for _, cpu in runs], 0.5),
            "bytes": CIPHERTEXT_BYTES,
            "connections": 32,
            "conversations": len(pairs),
        },
    )


async def _delivery(installation: Installation, address: str, pairs: Sequence[Pair]) -> Figure:
    """Sends at a fixed rate to people who listen."""
    import httpx

    from benchmarks.platform.pairs import CIPHERTEXT_BYTES
    from client.realtime import RealtimeClient, Resync, Signal

    latencies: list[float] = []
    expected = _RATE * _RATE_SECONDS
    attached: asyncio.Queue[None] = asyncio.Queue()
    done = asyncio.Event()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:

        async def listen(person: Person) -> None:
            async with RealtimeClient(lambda: person.ticket(client)) as socket:
                async for received in socket:
                    match received:
                        case Resync():
                            attached.put_nowait(None)
                        case Signal("message", data):
                            sent_ns = int.from_bytes(data["envelope"][:8], "big")
                            latencies.append((time.monotonic_ns() - sent_ns) / 1e6)
                            if len(latencies) >= expected:
                                done.set()

        async def send(pair: Pair) -> None:
            ciphertext = time.monotonic_ns().to_bytes(8, "big") + bytes(CIPHERTEXT_BYTES - 8)
            headers = {**pair.sender.headers, "Content-Type": "application/json"}
            body = pair.body(str(uuid4()), ciphertext)
            while (answer := await client.post(pair.path, content=body, headers=headers)).status_code == 503:
                await asyncio.sleep(1)  # a host that stalled is replaced; its time is part of the latency
            answer.raise_for_status()

        listening = [asyncio.create_task(listen(pair.recipient)) for pair in pairs]
        for _ in pairs:
            await attached.get()
        for _ in range(sized(1, 20)):  # of a host that is replaced meanwhile, all signals are lost
            sending: list[asyncio.Task[Any]] = []
            begun = time.monotonic()
            for number in range(expected):
                ahead = begun + number / _RATE - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                sending.append(asyncio.create_task(send(pairs[number % len(pairs)])))
            await asyncio.gather(*sending)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _LATE_S)
            if latencies:
                break
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return Figure(
        "messaging.delivery_ms",
        quantile(latencies, 0.5),
        "ms",
        samples=len(latencies),
        extra={
            **percentiles(latencies),
            "lost": max(0, expected - len(latencies)),
            "rate": _RATE,
            "bytes": CIPHERTEXT_BYTES,
            "conversations": len(pairs),
        },
    )


async def _drain(installation: Installation, address: str, pair: Pair) -> list[Figure]:
    """Reads and acknowledges what waits for one device, page by page, over one connection."""
    import asyncpg
    import httpx

    from benchmarks.platform.pairs import CIPHERTEXT_BYTES, database_address, forget_messages

    await forget_messages(installation)
    connection = await asyncpg.connect(database_address(installation))
    people = pair.sender.account, pair.recipient.account
    await connection.execute(_WAIT, UUID(pair.conversation), *people, os.urandom(CIPHERTEXT_BYTES), _WAITING)
    stored = [await connection.fetchval(_STORED, table) / _WAITING for table in ("messages", "message_payloads")]
    await connection.execute("analyze messages, message_payloads")
    read = 0
    own = pair.recipient.headers
    async with httpx.AsyncClient(base_url=f"{address}/v1/messaging", timeout=60, headers=own) as client:
        begun = time.perf_counter()
        while True:
            page = (await client.get("/inbox", params={"limit": _PAGE})).raise_for_status().json()["items"]
            if not page:
                break
            read += len(page)
            newest = {"conversation_id": page[-1]["conversation_id"], "seq": page[-1]["seq"]}
            (await client.post("/acknowledgements", json={"items": [newest]})).raise_for_status()
        seconds = time.perf_counter() - begun
    left = await connection.fetchval("select count(*) from message_payloads")
    await connection.close()
    if (read, left) != (_WAITING, 0):
        raise RuntimeError(f"{read} of {_WAITING} messages read, {left} left")
    return [
        Figure(
            "messaging.drain_10k_s", seconds, "s", extra={"messages": read, "page": _PAGE, "bytes": CIPHERTEXT_BYTES}
        ),
        Figure(
            "messaging.stored_bytes",
            sum(stored),
            "B",
            extra={"message": stored[0], "offline_device": stored[1], "ciphertext": CIPHERTEXT_BYTES},
        ),
    ]
