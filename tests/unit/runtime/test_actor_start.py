"""The runtime's Ray actors while they start: constructors cannot fail, and processes end if the start fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from actors.runtime import supervise
from actors.runtime.coordination import coordinator
from actors.runtime.coordination.coordinator import Coordinator
from actors.runtime.hosting import host
from actors.runtime.hosting.host import ShardHost
from actors.runtime.kind import Effect, EffectHandler, EntityKind, KindContext
from actors.runtime.options import RuntimeOptions
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.value import Value

OPTIONS = RuntimeOptions(
    "brand",
    {"tests.unit.runtime.test_actor_start:KIND": None},
    database="",
    redis="redis://127.0.0.1",
    secret="secret",
    listen="127.0.0.1",
)


class Unopened(EffectHandler):
    """A handler that cannot be made."""

    def __init__(self, context: KindContext) -> None:
        raise OSError("too many connections")


class Silent:
    """An entity that does nothing."""

    def receive(self, message: Value, now: float) -> list[Effect]:
        return []

    def snapshot(self) -> Value:
        return None


KIND = EntityKind("broken", create=lambda *_: Silent(), restore=lambda *_: Silent(), handler=Unopened)


class OpenedStore:
    """A store without a database."""

    @classmethod
    async def open(cls, *_: Any, **__: Any) -> OpenedStore:
        return cls()


class UnreachableStore:
    """A store whose database refuses."""

    @classmethod
    async def open(cls, *_: Any, **__: Any) -> UnreachableStore:
        raise OSError("connection refused")


class SilentRouter:
    """A router that reaches nobody."""

    def __init__(self, *_: Any) -> None:
        pass

    def follow_map(self) -> None:
        pass


CONTEXTS: list[KindContext[Any]] = []


class Recorded(EffectHandler[Any]):
    """Keeps the context that it was made with."""

    def __init__(self, context: KindContext[Any]) -> None:
        super().__init__(context)
        CONTEXTS.append(context)


ONE, TWO = (
    EntityKind(name, create=lambda *_: Silent(), restore=lambda *_: Silent(), policy=policy, handler=Recorded)
    for name, policy in (("one", int), ("two", str))
)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the ends of processes instead of ending this one; there is no Ray."""
    exits: list[str] = []
    monkeypatch.setattr(supervise, "_EXIT_DELAY_SECONDS", 0.0)
    context = SimpleNamespace(get_node_id=lambda: "node", get_worker_id=lambda: "worker")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    for module in (host, coordinator):
        monkeypatch.setattr(module, "configure_logs", lambda *_, **__: None)
        monkeypatch.setattr(module, "BackgroundTasks", lambda: BackgroundTasks(lambda: exits.append("exit")))
    return exits


async def started(actor: Any, options: RuntimeOptions = OPTIONS) -> Any:
    """An actor of this class, after its constructor and what it does at once."""
    instance = actor.__new__(actor)
    await instance.__init__(options, "one")
    for _ in range(20):
        await asyncio.sleep(0)
    return instance


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host reaches whatever it needs, though nothing is there."""
    monkeypatch.setattr(host, "ShardStore", OpenedStore)
    monkeypatch.setattr(host, "TurnWrites", OpenedStore)
    monkeypatch.setattr(host, "open_database", OpenedStore.open)
    monkeypatch.setattr(host, "Router", SilentRouter)
    monkeypatch.setattr(host, "RayControl", lambda *_: None)


@pytest.mark.usefixtures("reachable")
async def test_a_host_whose_handler_cannot_be_made_ends_its_process(exits: list[str]) -> None:
    broken = await started(ShardHost)
    assert exits == ["exit"]
    assert (await broken.status())["phase"] == "failed"


@pytest.mark.usefixtures("reachable", "exits")
async def test_kinds_have_policies_of_their_own_and_share_the_process_s_database_and_redis() -> None:
    CONTEXTS.clear()
    kinds = {f"{__name__}:ONE": 7, f"{__name__}:TWO": "seven"}
    instance = await started(ShardHost, replace(OPTIONS, kinds=kinds))
    one, two = CONTEXTS
    assert (one.brand, one.policy, two.policy) == ("brand", 7, "seven")
    assert one.database is two.database
    assert one.redis is two.redis
    await instance._tasks.close()


@pytest.mark.usefixtures("reachable")
async def test_a_host_that_is_given_a_policy_of_another_kind_ends_its_process(exits: list[str]) -> None:
    await started(ShardHost, replace(OPTIONS, kinds={f"{__name__}:ONE": "seven"}))
    assert exits == ["exit"]


@pytest.mark.parametrize(("module", "actor"), [(host, ShardHost), (coordinator, Coordinator)])
async def test_without_a_database_an_actor_says_that_it_starts_and_its_constructor_does_not_wait(
    exits: list[str], monkeypatch: pytest.MonkeyPatch, module: Any, actor: Any
) -> None:
    monkeypatch.setattr(module, "ShardStore", UnreachableStore)
    monkeypatch.setattr(module, "RayControl", lambda *_: None)
    waiting = await started(actor)
    assert (await waiting.status())["phase"] == "starting"
    assert not exits
    await waiting._tasks.close()


async def test_a_coordinator_whose_kinds_cannot_be_imported_ends_its_process(
    exits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator, "RayControl", lambda *_: None)

    def load_kind(path: str) -> EntityKind[Any]:
        raise ImportError(path)

    monkeypatch.setattr(coordinator, "load_kind", load_kind)
    broken = await started(Coordinator)
    assert exits == ["exit"]
    assert (await broken.status())["phase"] == "failed"


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        RuntimeOptions("brand", {}, database="", redis="", secret="")
