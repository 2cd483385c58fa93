"""Everything that a local installation keeps or holds: storage, files, what it says over HTTP, and the memory of its
processes. A place and its bytes, in blocks that may overlap."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil

from cluster.local.installation import Installation
from cluster.redis import open_redis
from tests.support.process_memory import memory_of

_BLOCK = 16 << 20
_DATABASES = "select datname from pg_database where datallowconn and not datistemplate"
_TABLES = """
select format('%I.%I', nspname, relname) from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'm') and nspname <> 'pg_toast' or relname = 'pg_stat_activity' order by 1
"""
"""Catalogues, too: statistics have values of columns, and activity has the text of statements."""


async def postgres_rows(installation: Installation) -> AsyncIterator[tuple[str, bytes]]:
    """Yields every table of every database, as text. Whatever is in memory only is on disk afterwards."""
    connection = await asyncpg.connect(installation.postgres.address("postgres"))
    databases = [row[0] for row in await connection.fetch(_DATABASES)]
    await connection.execute("checkpoint")
    await connection.close()
    for database in databases:
        connection = await asyncpg.connect(installation.postgres.address(database))
        for (table,) in await connection.fetch(_TABLES):
            rows = bytearray()

            async def add(block: bytes, rows: bytearray = rows) -> None:
                rows += block

            await connection.copy_from_query(f"select * from {table}", output=add)
            yield f"Postgres: {database}, {table}", bytes(rows)
        await connection.close()


async def redis_keys(installation: Installation) -> AsyncIterator[tuple[str, bytes]]:
    """Yields every key of Redis, with all that is in it."""
    redis = open_redis(installation.redis.address())
    async for key in redis.scan_iter("*", count=1000):
        value: object
        match await redis.type(key):
            case b"string":
                value = await redis.get(key)
            case b"hash":
                value = await redis.hgetall(key)
            case b"list":
                value = await redis.lrange(key, 0, -1)
            case b"set":
                value = await redis.smembers(key)
            case b"zset":
                value = await redis.zrange(key, 0, -1, withscores=True)
            case b"stream":
                value = await redis.xrange(key)
            case b"none":
                continue  # it has expired
            case other:
                raise NotImplementedError(f"a key of type {other!r}")
        yield f"Redis: {key.decode(errors='replace')}", key + b"\n" + b"\n".join(_leaves(value))
    await redis.aclose()


def _leaves(value: object) -> Iterator[bytes]:
    match value:
        case bytes():
            yield value
        case str() | int() | float():
            yield str(value).encode()
        case dict():
            for pair in value.items():
                yield from _leaves(pair)
        case list() | tuple() | set():
            for each in value:
                yield from _leaves(each)


def files(folders: Iterable[Path], overlap: int) -> Iterator[tuple[str, bytes]]:
    """Yields every file below these folders, with its path: data and logs of Postgres and Redis, objects, logs, mails,
    keys, counters, the session of Ray."""
    for folder in folders:
        for parent, _, names in os.walk(folder.resolve()):  # which passes over folders that have gone
            for path in (Path(parent, name) for name in names):
                if path.is_symlink() or not path.is_file():
                    continue
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    place, block = f"file: {path}", file.read(_BLOCK)
                    yield place, f"{path}\n".encode() + block
                    while more := file.read(_BLOCK):
                        block = block[-overlap:] + more
                        yield place, block


def pages(installation: Installation) -> Iterator[tuple[str, bytes]]:
    """Yields what is shown over HTTP to those who run the platform: metrics of all processes, and Ray's."""
    ports = installation.ports
    for name, port in (("metrics", ports.metrics_port), ("Ray's metrics", ports.ray_metrics_port)):
        yield f"HTTP: {name}", httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).content


def memory(processes: Iterable[psutil.Process], overlap: int) -> Iterator[tuple[str, bytes]]:
    """Yields the memory of processes and of what they have started. (Those of Postgres write their titles over the
    environment by which an installation knows its processes.)"""
    family: set[psutil.Process] = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            family |= {process, *process.children(recursive=True)}
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            place = f"memory: {process.pid}, {' '.join(process.cmdline())[:60]}"
            for block in memory_of(process.pid, overlap):
                yield place, block
