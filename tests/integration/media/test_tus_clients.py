"""Other people's tus clients upload through connections that are cut, to two replicas in turn."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from api.app import create_app
from deployments.platform import open_platform
from tests.peers.node import NodePeer
from tests.support.app_server import CuttingProxy, serve_app
from tests.support.environment import Environment
from tests.support.files import file_of
from tests.support.member import Member
from tests.support.tus_clients import upload_with_tuspy
from tests.support.uploads import TUS, begin, offset_of, originals, sweep

SIZE = 3_000_000
CUTS = 4
_TIMEOUT_S = 60


@asynccontextmanager
async def _replicas(environment: Environment) -> AsyncIterator[list[int]]:
    """Two replicas of the brand on real sockets. Returns their ports."""
    other = await open_platform(environment.brand, environment.settings, now=environment.clock)
    try:
        async with serve_app(create_app(environment.platform)) as one, serve_app(create_app(other)) as two:
            yield [one, two]
    finally:
        await other.close()


async def _content(environment: Environment, member: Member, url: str) -> bytes:
    await environment.drain()
    return (await member.get(f"/media/{url.rpartition('/')[2]}/content")).content


@pytest.mark.parametrize("chunk", [SIZE, 400_000])
async def test_cut_uploads_of_tuspy_arrive(entativa: Environment, chunk: int) -> None:
    ada = await entativa.member("ada")
    async with _replicas(entativa) as ports:
        for seed in range(4):
            data = file_of(SIZE, seed=seed)
            proxy = CuttingProxy(ports, cuts=CUTS, within=SIZE // 2, seed=seed)
            async with proxy.serve() as port:
                url = await asyncio.to_thread(
                    upload_with_tuspy,
                    f"http://127.0.0.1:{port}/v1/uploads",
                    ada.headers["Authorization"],
                    data,
                    chunk=chunk,
                )
            assert await _content(entativa, ada, url) == data
            assert proxy.left < CUTS
    await sweep(entativa)
    assert len(originals(entativa)) == 4


@pytest.fixture(scope="session")
def tus_js() -> Iterator[NodePeer]:
    with NodePeer("tus.mjs") as peer:
        yield peer


@pytest.mark.parametrize(("chunk", "parallel"), [(0, 1), (500_000, 1), (0, 3)])
async def test_cut_uploads_of_tus_js_client_arrive(
    entativa: Environment, tus_js: NodePeer, chunk: int, parallel: int
) -> None:
    ada = await entativa.member("ada")
    async with _replicas(entativa) as ports:
        for seed in range(3):
            data = file_of(SIZE, seed=seed)
            proxy = CuttingProxy(ports, cuts=CUTS, within=SIZE // 2, seed=seed)
            async with proxy.serve() as port:
                result = await asyncio.to_thread(
                    tus_js.call,
                    "upload",
                    endpoint=f"http://127.0.0.1:{port}/v1/uploads",
                    token=ada.tokens["access_token"],
                    data=data,
                    filetype="image/jpeg",
                    chunk=chunk,
                    parallel=parallel,
                    retries=50,
                )
            assert await _content(entativa, ada, result["url"]) == data
    await sweep(entativa)
    assert originals(entativa) == sorted(
        f"objects/{hashlib.sha256(file_of(SIZE, seed=seed)).hexdigest()}" for seed in range(3)
    )


async def test_what_arrived_before_a_cut_is_kept(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    data = file_of(1_000_000)
    path = await begin(ada, len(data))
    head = "\r\n".join(
        [
            f"PATCH /v1{path} HTTP/1.1",
            "Host: test",
            f"Authorization: {ada.headers['Authorization']}",
            f"Tus-Resumable: {TUS['Tus-Resumable']}",
            "Upload-Offset: 0",
            "Content-Type: application/offset+octet-stream",
            f"Content-Length: {len(data)}",
            "",
            "",
        ]
    )
    async with serve_app(create_app(entativa.platform)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + data[:700_000])
        await writer.drain()
        writer.close()
        async with asyncio.timeout(_TIMEOUT_S):
            while await offset_of(ada, path) < 700_000:
                await asyncio.sleep(0.01)
    assert await offset_of(ada, path) == 700_000
