"""Examines an installation: what is wrong, and how to fix it."""

import asyncio
import shutil
import sys
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import psutil

from cluster.alarms import raised
from cluster.local.installation import Installation
from cluster.local.processes import ServiceError, port_is_free
from cluster.local.services import postgres_programs
from cluster.migrate import MigrationError, check_compatible, load_migrations
from cluster.node import run
from cluster.node.serve_api import ServeApi
from cluster.objects import NoSuchObject, ObjectStorageUnavailable, open_objects
from cluster.redis import RedisError, open_redis
from deployments.operator_storage import object_settings
from features.media.hash_list import BadHashList, HashListUnavailable
from features.media.policy import MediaPolicy
from features.media.synced_hash_list import hash_list_of

NEEDED_MEMORY_GIB = 3
NEEDED_DISK_GIB = 2


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    fix: str = ""


def examine(installation: Installation) -> list[Finding]:
    """Every check, in the order in which a person would fix them."""
    return [
        *_machine(installation),
        *_programs(),
        *_ports(installation),
        *asyncio.run(_storage(installation)),
        *asyncio.run(_objects(installation)),
        *asyncio.run(_hash_list(installation)),
        *_applications(installation),
    ]


def _machine(installation: Installation) -> list[Finding]:
    memory = psutil.virtual_memory().available / 2**30
    installation.home.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(installation.home).free / 2**30
    return [
        Finding(
            f"Python {sys.version_info.major}.{sys.version_info.minor}",
            sys.version_info >= (3, 11),
            "install Python 3.11 or newer and run 'make clean run'",
        ),
        Finding(f"{memory:.1f} GiB of memory free", memory >= NEEDED_MEMORY_GIB, "stop other programs"),
        Finding(f"{disk:.1f} GiB of disk free", disk >= NEEDED_DISK_GIB, f"make room under {installation.home}"),
    ]


def _programs() -> list[Finding]:
    from features.media.image_rendering import can_write_avif  # loads the decoders, which no other command asks for

    try:
        postgres_programs()
        postgres = True
    except ServiceError:
        postgres = False
    return [
        Finding("PostgreSQL 15 programs", postgres, "apt-get install postgresql-15 postgresql-15-postgis-3"),
        Finding("redis-server", shutil.which("redis-server") is not None, "apt-get install redis-server"),
        Finding(
            f"AVIF of images that are read often: {'made' if can_write_avif() else 'not made, libvips has no AV1'}",
            ok=True,
        ),
        Finding("ffmpeg", shutil.which("ffmpeg") is not None, "apt-get install ffmpeg"),
    ]


def _ports(installation: Installation) -> list[Finding]:
    ports, running = installation.ports, installation.processes.find
    wanted: list[tuple[str, int, str, bool]] = [
        ("postgres", ports.postgres_port, "ENTATIVA_POSTGRES_PORT", installation.private_postgres),
        ("redis", ports.redis_port, "ENTATIVA_REDIS_PORT", installation.private_redis),
        ("mail", ports.smtp_port, "ENTATIVA_SMTP_PORT", installation.private_mail),
        ("metrics", ports.metrics_port, "ENTATIVA_METRICS_PORT", True),
        *((run.RAY, getattr(ports, name), f"ENTATIVA_{name.upper()}", True) for name in run.HEAD_PORTS),
    ]
    return [
        Finding(
            f"port {port} for {name}",
            running(name) is not None or port_is_free(port),
            f"another program holds it: stop that program, or choose another port with {setting}",
        )
        for name, port, setting, needed in wanted
        if needed
    ]


async def _storage(installation: Installation) -> list[Finding]:
    findings = []
    for brand, address in installation.databases().items():
        fix = "run 'make run', or correct ENTATIVA_DATABASES"
        try:
            connection = await asyncpg.connect(address, timeout=5)
            try:
                await check_compatible(connection, load_migrations())
                findings.append(Finding(f"database of {brand}", ok=True))
            finally:
                await connection.close()
        except MigrationError as error:
            findings.append(Finding(f"database of {brand}: {error}", ok=False, fix="run 'entativa migrate'"))
        except (OSError, asyncpg.PostgresError) as error:
            findings.append(Finding(f"database of {brand}: {type(error).__name__}", ok=False, fix=fix))
    redis = open_redis(installation.environment()["ENTATIVA_REDIS_URL"])
    try:
        await redis.ping()
        findings.append(Finding("Redis answers", ok=True))
        for brand in installation.databases():
            alarms = await raised(redis, brand)
            fix = "see 'Alarms' in docs/operations.md"
            findings.append(Finding(f"alarms of {brand}: {', '.join(alarms) or 'none'}", not alarms, fix))
    except RedisError as error:
        findings.append(
            Finding(f"Redis: {type(error).__name__}", ok=False, fix="run 'make run' or correct ENTATIVA_REDIS_URL")
        )
    finally:
        await redis.aclose()
    return findings


async def _objects(installation: Installation) -> list[Finding]:
    """Writes, reads and deletes an object of each brand."""
    findings = []
    fix = "correct ENTATIVA_OBJECTS_URL and ENTATIVA_OBJECTS_S3_...; what was said to it is in the log above"
    for brand in installation.databases():
        key, data = f"doctor/{uuid4()}", b"written by 'entativa doctor'"
        try:
            objects = open_objects(object_settings(installation), brand)
            await objects.put_new(key, data)
            ok = b"".join([chunk async for chunk in objects.read(key)]) == data
            await objects.delete([key])
            findings.append(Finding(f"object storage of {brand}", ok, fix))
        except (ObjectStorageUnavailable, NoSuchObject, ValueError) as error:
            findings.append(Finding(f"object storage of {brand}: {error or type(error).__name__}", ok=False, fix=fix))
    return findings


async def _hash_list(installation: Installation) -> list[Finding]:
    """Reads the list of pictures that nobody may publish, as the consumers do."""
    settings = object_settings(installation)
    if not settings.hash_list_url:
        return [Finding("no hash list (ENTATIVA_HASH_LIST_URL): media are not compared with one", ok=True)]
    fix = "correct ENTATIVA_HASH_LIST_URL and ..._TOKEN; until then the list from before is used, if any"
    findings = []
    for brand in installation.databases():
        hash_list = hash_list_of(settings, brand, MediaPolicy(), open_objects(settings, brand))
        assert hash_list is not None
        try:
            findings.append(Finding(f"hash list of {brand}: {await hash_list.read()} hashes", ok=True))
        except (BadHashList, HashListUnavailable) as error:
            findings.append(Finding(f"hash list of {brand}: {error}", ok=False, fix=fix))
    return findings


def _applications(installation: Installation) -> list[Finding]:
    if installation.processes.find(run.RAY) is None:
        return [Finding("Ray runs", ok=False, fix="run 'make run'")]
    found = ServeApi(installation.node).applications()
    return [
        Finding(
            f"application {name}: {application['status'].lower()}",
            application["status"] == "RUNNING",
            application.get("message") or f"see {installation.node.folder}/session_latest/logs/serve",
        )
        for name, application in found.items()
    ] or [Finding("Serve applications", ok=False, fix="run 'make run'")]
