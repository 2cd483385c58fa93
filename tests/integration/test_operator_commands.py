"""`entativa dead-letters` and `entativa keys rotate`, as an operator runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.events.consumer import Consumer, each
from cluster.events.dead_letters import dead_letters
from cluster.events.event import Event
from cluster.events.worker import drain_events
from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from deployments.operator_storage import operator_database
from features.auth.keys import SIGNS_AFTER, SigningKeys, ensure_key
from tests.support.environment import Environment

TYPE = "things.made"


async def refuse(_: UnitOfWork, event: Event) -> None:
    raise ValueError(f"cannot handle {event.payload['n']}")


def entativa_command(
    environment: Environment, home: Path, *arguments: str, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Runs the command line against the storage of a test. `settings` are further variables."""
    databases = {name: address.get_secret_value() for name, address in environment.settings.databases.items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith("ENTATIVA_")}
    return subprocess.run(
        [sys.executable, "-m", "deployments.cli", *arguments],
        env={
            **others,
            "ENTATIVA_HOME": str(home),
            "ENTATIVA_DATABASES": json.dumps(databases),
            "ENTATIVA_REDIS_URL": environment.settings.redis_url.get_secret_value(),
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_statements_of_operators_have_no_limit_of_time(
    entativa: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = entativa.settings.databases["entativa"].get_secret_value()
    monkeypatch.setattr("cluster.postgres.COMMAND_TIMEOUT_S", 0.5)
    monkeypatch.setenv("ENTATIVA_HOME", str(tmp_path))
    monkeypatch.setenv("ENTATIVA_DATABASES", json.dumps({"entativa": address}))
    async with operator_database("entativa") as database, database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select pg_sleep(1) is null") is False


async def test_dead_letters_are_listed_and_requeued(entativa: Environment, tmp_path: Path) -> None:
    database, consumer = entativa.platform.database, Consumer("fragile", frozenset({TYPE}), each(refuse))
    await drain_events([consumer], database, entativa.event_log)
    async with database.unit_of_work() as uow:
        uow.publish(Event.now(TYPE, new_id(entativa.clock()), {"n": 7}, now=entativa.clock()))
        await uow.commit()
    for _ in range(consumer.max_attempts):
        await drain_events([consumer], database, entativa.event_log)
        await database.pool.execute("update event_retries set due_at = now()")

    listed = entativa_command(entativa, tmp_path, "dead-letters", "list", "entativa")
    assert listed.returncode == 0, listed.stderr
    letter = json.loads(listed.stdout)
    assert (letter["consumer"], letter["event"]["payload"], letter["attempts"]) == (
        "fragile",
        {"n": 7},
        consumer.max_attempts,
    )
    assert "cannot handle 7" in letter["reason"]

    for other in ("another", "fragile"):
        count = int(other == "fragile")
        retried = entativa_command(entativa, tmp_path, "dead-letters", "retry", "entativa", "--consumer", other)
        assert (retried.returncode, retried.stdout) == (0, f"{count} events requeued\n"), retried.stderr
    assert await dead_letters(database) == []
    assert await database.pool.fetchval("select count(*) from event_retries") == 1


async def test_keys_are_rotated_for_each_brand(entativa: Environment, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ensure_key(home / "keys" / "entativa", entativa.clock())
    old, _ = SigningKeys(home / "keys" / "entativa").newest()

    rotated = entativa_command(entativa, home, "keys", "rotate")

    assert rotated.returncode == 0, rotated.stderr
    assert f"signs in {SIGNS_AFTER.seconds // 60} minutes" in rotated.stderr
    keys = SigningKeys(home / "keys" / "entativa")
    assert keys.newest()[0] == old, "replicas of other nodes, and caches, may not know the new one yet"
    assert len(keys.public_keys()) == 2
    # A brand that had none signs with the new one at once.
    assert SigningKeys(home / "keys" / "vignette").newest()[0] in rotated.stderr
