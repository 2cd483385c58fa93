"""Sharded entities on Ray: state with one writer, reachable by name from every process of the cluster.

The words: an **entity** is one pure machine (a conversation, a feed) of an **entity kind**; its id hashes
to one of 1,024 **shards** of the kind; a **shard host** is a Ray actor that owns many shards, each at an
**epoch**; the **coordinator** assigns shards to hosts; a **router** in every process knows the map and
delivers calls. docs/runtime.md has the protocols and their state tables.

docs/runtime.md, "Adding a kind", walks through one.

Calling, from a Serve replica, a driver or another actor (effect handlers have ``KindContext.router``)::

    from actors.runtime.transport.router import Router
    router = await Router.connect(name, secret=secret)   # name: the runtime's, one per brand
    total = await router.call("counter", "c-17", {"add": 1}, timeout=2.0)
    await router.close()

``Router.call(kind, entity_id, message, timeout=5.0) -> Future[Value]`` never hangs: it ends in the reply or
one of ``actors.runtime.errors`` by its deadline. A call is retried under the same call id while its host is
cut off, restarts or moves the shard, and runs once: hosts remember recent call ids per shard, the memory
moves with the shard, and for turns that write (``EffectHandler.write`` or Persist) it survives a crash with
the write. Effects of volatile kinds may happen again after a crash. Without failures the calls of one router to
one entity run in the order they were made.

Starting and stopping, once per platform (idempotent; from any process connected to the Ray cluster)::

    from actors.runtime.start import RuntimeOptions, start_runtime, stop_runtime
    start_runtime(RuntimeOptions(name="vignette", kinds={"actors.feeds:KIND": FeedPolicy()}, database=dsn,
                                 redis=url, secret=secret, scaling=ScalingPolicy(min_hosts=2, max_hosts=16)))
"""

from actors.runtime.errors import (
    BadFrame,
    CallError,
    DeadlineExceeded,
    EntityFailed,
    FrameTooLarge,
    HandshakeFailed,
    HostUnavailable,
    Overloaded,
    Refused,
    StaleEpoch,
    UnknownKind,
)
from actors.runtime.kind import (
    After,
    CancelTimer,
    Effect,
    EffectHandler,
    Entity,
    EntityKind,
    KindContext,
    Persist,
    Reply,
    SetTimer,
    Turn,
)
from actors.runtime.value import Value

__all__ = [
    "After",
    "BadFrame",
    "CallError",
    "CancelTimer",
    "DeadlineExceeded",
    "Effect",
    "EffectHandler",
    "Entity",
    "EntityFailed",
    "EntityKind",
    "FrameTooLarge",
    "HandshakeFailed",
    "HostUnavailable",
    "KindContext",
    "Overloaded",
    "Persist",
    "Refused",
    "Reply",
    "SetTimer",
    "StaleEpoch",
    "Turn",
    "UnknownKind",
    "Value",
]
