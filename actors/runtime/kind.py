"""What an entity is, and what its kind tells the runtime about it.

An entity is a pure state machine with one writer: ``receive(message, now)`` changes its state and
returns effects, and it never does I/O. A *turn* is one run of an entity over every message that
waits for it (at least one): all are received in order, their effects are carried out together, and
only then do the callers get their replies. So an acknowledged operation is as durable as its effects.
A message at which the entity raises (other than Refused) takes the entity out of memory and no other
message with it: those of its turn are received again, by the entity as it was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias

from typing_extensions import TypeVar  # the default of a type variable: typing has it from Python 3.13 on

from actors.runtime.clock import Clock
from actors.runtime.store.rows import Fence
from actors.runtime.value import Value

if TYPE_CHECKING:
    from actors.runtime.transport.router import Router
    from cluster.postgres import Database, UnitOfWork
    from cluster.redis import Redis

Policy = TypeVar("Policy", default=None)
"""What a brand can tune about a kind: the policy of the feature that declares it. None: nothing."""

Effect: TypeAlias = Any
"""One of the runtime's own effects below, or anything the kind's effect handler understands."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers the message being received, after the turn's effects. Without one the reply is None."""

    value: Value = None


@dataclass(frozen=True, slots=True)
class After:
    """Receive ``message`` again in ``seconds``.

    A soft timer: it keeps the entity in memory, travels with its shard in a handoff and is lost in a
    crash (a kind that needs timers after a crash sets them again on its ``on_load`` message). One that is due
    while the host has no lease waits for it.
    """

    seconds: float
    message: Value


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Receive ``message`` at ``due``, seconds since 1970. A timer of this entity that has this ``name`` is replaced.

    A durable timer: it is stored with the turn that sets it and removed with the turn that receives its message, in
    that turn's transaction. So it outlives crashes, moves and the entity's time in memory (its message loads the
    entity), and what that turn stores is stored once. Timers are due by the host's clock, and late while the host is
    busy or has no lease. One whose turn fails is tried again, after a second and then twice as long each time, up to
    five minutes; an entity that declines the message (Refused) has received it.
    """

    name: str
    due: float
    message: Value

    def __post_init__(self) -> None:
        """Raises ValueError if ``due`` is no time."""
        if not isfinite(self.due):
            raise ValueError(f"timer {self.name!r} is due at {self.due}")


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget this entity's durable timer ``name``, if there is one: its message is not received any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Persist:
    """Store the entity's snapshot, in one fenced transaction, before the turn's replies go out."""


class Entity(Protocol):
    """A pure machine. It takes time as an argument and imports no clock, randomness or I/O."""

    def receive(self, message: Value, now: float) -> Sequence[Effect]:
        """Acts on a message at ``now`` (seconds since 1970). Raises Refused to decline, unchanged."""

    def snapshot(self) -> Value:
        """The whole state as a value of the kind's current ``version``.

        Packed, with the messages of its timers, it is a little less than ``frames.MAX_BODY`` (4 MiB): an entity that
        has more, or no Value, keeps its shard from moving.
        """


@dataclass(frozen=True, slots=True)
class Turn:
    """What a kind's effect handler carries out: the effects of one entity's turn, in order."""

    entity_id: str
    entity: Entity
    fence: Fence
    """The ownership under which the turn is committed: shard, host and epoch."""
    effects: Sequence[Effect]
    """The kind's own effects; the runtime's (Reply, After, SetTimer, CancelTimer, Persist) are not among them."""


@dataclass(frozen=True, slots=True)
class KindContext(Generic[Policy]):
    """What one kind's entities and effect handler get from the host process that they live in. All kinds of a process
    have the same but for the policy."""

    brand: str
    policy: Policy
    """The brand's, of the type that ``EntityKind.policy`` names."""
    database: Database
    """The brand's database: one pool for all kinds of this process."""
    redis: Redis
    """One client for all kinds of this process. Everything in Redis can be lost."""
    router: Router
    """For calls from this host to entities of any kind."""
    clock: Clock
    host: str
    """Name of the host actor."""
    node: str
    """Ray's id of the node that this process runs on."""
    secret: bytes = field(repr=False)
    """The cluster's secret, for streams to processes that are no shard hosts."""


class EffectHandler(Generic[Policy]):
    """The shell around one kind's entities in one host process. Override what the kind needs: ``write`` if its effects
    are rows, ``act`` if they are anything else, both if it has both.

    A turn is written, then acted on, then its calls are answered. An exception fails the turn's calls (StaleEpoch or
    EntityFailed at the caller) and drops the entity from memory, so that its next message finds what is stored.
    What effects come to, ``act`` returns as messages to the entity, which alone changes itself. The exception is what
    no other message may overtake: where the lease ends between a turn and its results, they wait like soft timers, and
    calls may be received before them. Only then may ``act`` set the entity's state, since no other turn of it runs
    meanwhile (docs/runtime.md, "Adding a kind").
    """

    def __init__(self, context: KindContext[Policy]) -> None:
        """Called once per host process, before the first entity of the kind."""
        self.context = context

    async def load(self, entity_id: str) -> Entity | None:
        """The entity from its durable state, or None: its stored snapshot if any, else a new entity."""
        return None

    def needs_write(self, effects: Sequence[Effect]) -> bool:
        """Whether a turn with these effects is to be in a transaction, where the kind overrides ``write``."""
        return True

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        """Stores the durable effects of many turns, of different entities, in as few statements as possible.

        The transaction is the runtime's, which commits it, with the snapshots and answers of these and other kinds'
        turns. If it raises, or takes longer than 3.5 s, the transaction is tried again with fewer turns (and less time,
        while they are several), so that the others are stored. It should wait for nothing but this transaction.
        """
        raise NotImplementedError(f"no handler for {turns[0].effects!r}")

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Does the effects of one turn after its commit. Returns messages to the entity, the first of its next turn.

        Different entities' turns run concurrently, one entity's never do. What is done here may be done again, or not
        at all, if the host crashes.
        """
        raise NotImplementedError(f"no handler for {turn.effects!r}")

    async def close(self) -> None:
        """The host stops."""


@dataclass(frozen=True)
class EntityKind(Generic[Policy]):
    """A kind of entity. Made once per module and named by ``"package.module:attribute"`` to the runtime."""

    name: str
    create: Callable[[str, KindContext[Policy]], Entity]
    """A new entity for this id, with empty state."""
    restore: Callable[[str, int, Value, KindContext[Policy]], Entity]
    """The entity from (id, snapshot version, snapshot); must read every version ever written."""
    version: int = 1
    """Version of the snapshots that entities write now."""
    policy: type[Policy] = NoneType  # type: ignore[assignment] # the type of Policy's default
    """The type of the brand's policy for this kind."""
    handler: Callable[[KindContext[Policy]], EffectHandler[Policy]] = EffectHandler
    """Makes the effect handler of a host process. Not needed by a kind that only uses the runtime's own effects."""
    passivate_after: float | None = 300.0
    """Seconds without a message after which an entity leaves memory; None: never."""
    inbox_size: int = 1024
    """Messages that may wait for one entity; a call beyond is answered Overloaded."""
    read: Callable[[Any, Value], Value] | None = None
    """Answers a message for ``Router.read`` from an entity of the kind that is in no turn, and changes nothing. None:
    it takes a call to answer that."""
    rest: Callable[[Any], None] | None = None
    """Has an entity take as little memory as it can, the same for whoever calls it. It is called in no turn, once the
    entity has had no message for ten seconds. None: entities stay as they are."""
    on_load: Value = None
    """If set, the first message after an entity was loaded or created (not after a handoff). If it raises, the calls
    that wait fail, as those do whose entity cannot be loaded."""
    durable: bool = False
    """Entities use Persist: look for a stored snapshot before creating a new one."""

    def checked(self, policy: object) -> Policy:
        """``policy``, which is this kind's. Raises ValueError if it is of another type."""
        if not isinstance(policy, self.policy):
            raise ValueError(f"the policy of kind {self.name!r} is a {self.policy.__name__}, not {policy!r}")
        return policy


def load_kind(path: str) -> EntityKind[Any]:
    """Imports the kind that ``path`` ("package.module:ATTRIBUTE") names. Raises ValueError if it names none."""
    module, _, attribute = path.partition(":")
    kind = getattr(import_module(module), attribute, None)
    if not isinstance(kind, EntityKind):
        raise ValueError(f"{path!r} names no EntityKind")
    return kind
