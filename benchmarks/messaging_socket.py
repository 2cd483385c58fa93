"""Messages that devices send over their sockets, through a whole platform on this machine: durable and answered.

Each of many devices has one message unanswered, since a socket takes no more than 30 frames a second. Everything
(realtime host, hosts, Postgres with fsync, the process with the devices) shares the machine's cores: `cpu_ms` is CPU
time of all the platform's processes per message, `client_cpu_ms` that of the devices. The baseline is a bare echo
server of the same WebSocket library that the same devices send the same messages to, in the same run.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from benchmarks.stack.message_sockets import MessageSocket
    from cluster.local.installation import Installation

FIGURES = ("messaging.socket_per_s",)

_DEVICES = sized(256, 8)
_RUNS, _SECONDS, _WARM_UP_SECONDS = sized(3, 1), sized(8.0, 0.5), sized(4.0, 0.2)


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Starts the platform, measures, stops it."""
    import uvloop

    from benchmarks.platform.installation import running_platform

    with running_platform() as installation:
        yield uvloop.run(_measure(installation))


async def _measure(installation: Installation) -> Figure:
    from benchmarks.platform.installation import cpu_seconds
    from benchmarks.platform.members import add_members
    from benchmarks.platform.pairs import CIPHERTEXT_BYTES, forget_messages, introduce
    from benchmarks.stack.cheap_sockets import ECHO, echo_server
    from benchmarks.stack.message_sockets import connect, connect_to_echo
    from cluster.ids import new_id

    now = datetime.now(UTC)
    people = await add_members(installation, [(new_id(now), os.urandom(33)) for _ in range(2 * _DEVICES)])
    pairs = await introduce(installation, people)
    sockets = await connect(installation, pairs)
    rates, echo_rates, cpu, client_cpu = [], [], [], []
    latencies: list[float] = []
    async with echo_server() as url:
        echoes = await connect_to_echo(url, pairs)
        await _send(sockets, _WARM_UP_SECONDS)
        for _ in range(_RUNS):
            await forget_messages(installation)
            before, own_before = cpu_seconds(installation), time.process_time()
            rate, some = await _send(sockets, _SECONDS)
            cpu.append(1000 * (cpu_seconds(installation) - before) / len(some))
            client_cpu.append(1000 * (time.process_time() - own_before) / len(some))
            rates.append(rate)
            latencies += some
            echo_rates.append((await _send(echoes, _SECONDS))[0])
    return Figure(
        FIGURES[0],
        quantile(rates, 0.5),
        "1/s",
        ECHO,
        quantile(echo_rates, 0.5),
        _RUNS,
        {
            **{f"{name}_ms": value for name, value in percentiles(latencies).items()},
            "cpu_ms": quantile(cpu, 0.5),
            "client_cpu_ms": quantile(client_cpu, 0.5),
            "bytes": CIPHERTEXT_BYTES,
            "devices": len(pairs),
        },
    )


async def _send(sockets: Sequence[MessageSocket], seconds: float) -> tuple[float, list[float]]:
    """Messages a second that all devices together have had answered, and after how many milliseconds each."""
    begun = time.monotonic()
    latencies = [
        latency for some in await asyncio.gather(*(socket.send_for(seconds) for socket in sockets)) for latency in some
    ]
    return len(latencies) / (time.monotonic() - begun), latencies
