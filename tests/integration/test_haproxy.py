"""`entativa-haproxy` as Serve's proxy starts it, with real requests."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cluster.local.processes import free_port
from tests.support.haproxy_files import written_by_serve

PROGRAM = str(Path(sys.executable).with_name("entativa-haproxy"))
Process = subprocess.Popen[bytes]


@contextmanager
def haproxy(file: Path, *arguments: str) -> Iterator[Process]:
    """A HAProxy with this configuration, ended by us if it still runs."""
    with subprocess.Popen(
        [PROGRAM, "-db", "-f", str(file), "-dR", *arguments],
        env={"RAY_SERVE_HAPROXY_BINARY_PATH": PROGRAM},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def replica(answer: Callable[[str], bytes | None]) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that answers health checks, and other requests as told from their heads: None closes the connection.
    Yields its port and the request lines that came."""
    requests: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line = head.partition("\r\n")[0]
        if "/-/healthz" in line:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            requests.append(line)
            if (found := answer(head)) is not None:
                writer.write(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(found), found)
                )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], requests
    server.close()


class ServeReplica:
    """Stops as Serve's replicas do: it tells health checks, takes requests meanwhile, and closes its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests = 0
        self._stopping = False
        self._told = 0
        """How many health checks have heard that it is stopping."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status = 200
        if scope["path"] == "/-/healthz":
            status = 503 if self._stopping else 200
            self._told += self._stopping
        else:
            self.requests += 1
            await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._stopping, self._told = False, 0
        server = uvicorn.Server(
            uvicorn.Config(self, "127.0.0.1", self.port, lifespan="off", log_config=None, timeout_keep_alive=75)
        )
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        yield
        server.should_exit = True
        await serving

    async def tell(self) -> None:
        """Lets health checks know that it is about to stop."""
        self._stopping = True
        await until(lambda: self._told >= 4)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.01)


@pytest.fixture
def ports() -> tuple[int, int, int]:
    return free_port(), free_port(), free_port()


async def ask(port: int, path: str, method: str = "GET") -> httpx.Response:
    """Tries until somebody accepts the connection."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with httpx.AsyncClient(timeout=30) as client:
                    return await client.request(method, f"http://127.0.0.1:{port}{path}")
            except httpx.ConnectError:
                await asyncio.sleep(0.02)


async def test_before_serve_has_told_a_route_clients_are_asked_to_come_again(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    with haproxy(written_by_serve(tmp_path, ports=ports)):
        response = await ask(ports[0], "/entativa/feed")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "unavailable"


async def test_a_path_without_a_living_replica_is_unavailable_and_not_unknown(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    with haproxy(written_by_serve(tmp_path, "entativa", ports=ports, replicas=(free_port(),))):
        response = await ask(ports[0], "/entativa/feed")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert (await ask(ports[0], "/elsewhere")).status_code == 404


async def test_a_read_that_a_replica_died_over_is_answered_by_another_and_a_write_is_not_repeated(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    died: list[str] = []

    def die_once(line: str) -> bytes | None:
        method = line.split()[0]
        if method in died:
            return b"alive"
        died.append(method)
        return None

    async with replica(die_once) as (first, _), replica(die_once) as (second, _):
        file = written_by_serve(tmp_path, "entativa", ports=ports, replicas=(first, second))
        text = file.read_text().replace("retry-on conn-failure", "retry-on conn-failure empty-response")
        file.write_text(text)  # as RAY_SERVE_HAPROXY_RETRY_ON has it on a node
        with haproxy(file):
            read = await ask(ports[0], "/entativa/feed")
            written = await ask(ports[0], "/entativa/posts", "POST")
    assert (read.status_code, read.text) == (200, "alive")
    assert written.status_code == 502
    assert died == ["GET", "POST"]


async def test_replacing_replicas_costs_no_write_of_clients_that_keep_their_connections(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    replaced, staying = ServeReplica(), ServeReplica()
    failures: list[str] = []
    stop = False

    async def client() -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            while not stop:
                try:
                    response = await client.post(f"http://127.0.0.1:{ports[0]}/entativa/posts", content=b"text")
                    if not response.is_success:
                        failures.append(f"{response.status_code}")
                except httpx.HTTPError as error:
                    failures.append(repr(error))

    file = written_by_serve(tmp_path, "entativa", ports=ports, replicas=(replaced.port, staying.port))
    often = re.sub(r" inter \S+", " inter 100ms", file.read_text())
    file.write_text(often.replace("\ndefaults\n    mode http\n", "\ndefaults\n    mode http\n    timeout check 30s\n"))
    async with staying.running():
        with haproxy(file):
            await ask(ports[0], "/entativa/feed")
            clients = [asyncio.create_task(client()) for _ in range(16)]
            for _ in range(3):
                async with replaced.running():
                    replaced.requests = 0
                    await until(lambda: replaced.requests >= 32)
                    await replaced.tell()
            stop = True
            await asyncio.gather(*clients)
    assert failures == []


async def test_a_client_does_not_decide_when_serve_cancels_its_request(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    heads: list[str] = []

    def note(head: str) -> bytes:
        heads.append(head.lower())
        return b"noted"

    async with replica(note) as (port, _):
        with haproxy(written_by_serve(tmp_path, "entativa", ports=ports, replicas=(port,))):
            await ask(ports[0], "/entativa/feed")
            headers = {"X-Request-Timeout-Seconds": "0.1", "X-Request-Disconnect-Disabled": "?1", "X-Other": "kept"}
            async with httpx.AsyncClient(timeout=30) as client:
                await client.get(f"http://127.0.0.1:{ports[0]}/entativa/feed", headers=headers)
    assert "x-other: kept" in heads[-1]
    assert "x-request-timeout-seconds" not in heads[-1]
    assert "x-request-disconnect-disabled" not in heads[-1]


async def test_a_new_proxy_takes_over_from_the_last_one_with_its_routes_and_refuses_nobody(
    tmp_path: Path, ports: tuple[int, int, int]
) -> None:
    refused, answered, stop = 0, 0, False

    async def clients() -> None:
        nonlocal refused, answered
        async with httpx.AsyncClient(timeout=30) as client:
            while not stop:
                try:
                    response = await client.get(
                        f"http://127.0.0.1:{ports[0]}/entativa/feed", headers={"Connection": "close"}
                    )
                    answered += response.status_code == 200
                    refused += response.status_code != 200
                except httpx.HTTPError:
                    refused += 1

    async with replica(lambda _: b"alive") as (port, _):
        with haproxy(written_by_serve(tmp_path, "entativa", ports=ports, replicas=(port,))) as last:
            assert (await ask(ports[0], "/entativa/feed")).status_code == 200
            running = asyncio.create_task(clients())
            # Serve's new proxy has not been told of any application when it starts its HAProxy.
            with haproxy(written_by_serve(tmp_path, ports=ports)):
                async with asyncio.timeout(60):
                    while last.poll() is None:
                        await asyncio.sleep(0.02)
                goal = answered + 20
                while answered < goal and not running.done():
                    await asyncio.sleep(0.02)
                stop = True
                await running
    assert refused == 0
