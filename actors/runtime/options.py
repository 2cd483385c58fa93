"""The options of a runtime. Pickled to every coordinator and host when they start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.code_version import CODE_VERSION

_MIN_LEADER_LEASE = 2.0


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """The operator's numbers."""

    min_hosts: int = 1
    max_hosts: int = 8
    calls_per_second: float = 20_000.0
    """What one host should carry."""
    queue_wait: float = 0.05
    """Seconds that calls may wait for the event loop of a host."""
    memory: int = 2 << 30
    """Resident bytes one host should stay under."""
    spare: float = 0.7
    """Shrink only if the hosts left would each carry at most this share of what they should."""
    grow_after: float = 3.0
    """Seconds that hosts must be over their share before one is added."""
    shrink_after: float = 60.0
    """Seconds that one host fewer must have been enough before one goes."""


@dataclass(frozen=True)
class RuntimeOptions:
    """One runtime, as ``start_runtime`` starts it."""

    name: str
    """The brand's; also the Ray namespace of its actors."""
    kinds: Mapping[str, object]
    """Entity kinds as "package.module:ATTRIBUTE", importable on every node, and the brand's policy for each (None for
    a kind that has no policy)."""
    database: str = field(repr=False)
    """Postgres address of the brand's database, migrated."""
    redis: str = field(repr=False)
    """Redis address, for the kinds that use it; the runtime itself does not."""
    secret: str = field(repr=False)
    """The cluster's secret: routers and hosts prove that they hold it."""
    timers: Mapping[str, frozenset[str]] | None = None
    """Names of the durable timers that entities of each kind may set, by the kinds' paths. None: any."""
    scaling: ScalingPolicy = field(default_factory=ScalingPolicy)
    coordinators: int = 2
    """Candidates for leadership, on different nodes where there are several."""
    lease: float = 2.0
    """Seconds after its last heartbeat for which a host may act.

    It bounds how long a lost node's shards are without an owner; a loop that stalls longer than this
    costs a host its shards."""
    host_cpus: float = 1.0
    """CPUs a host reserves. What does not fit is demand, by which Ray's autoscaler adds nodes."""
    host_resources: Mapping[str, float] = field(default_factory=dict)
    """Further Ray resources a host reserves."""
    listen: str = ""
    """Address hosts listen on for other nodes; empty: the node's own as Ray knows it."""
    log_level: str = "INFO"
    """The lowest level that hosts and coordinators log."""
    socket_directory: str = ""
    """Folder for Unix sockets; empty: one under the system's temporary folder."""
    code_version: str = field(default="", init=False)
    """Of the code that made these options."""

    def __post_init__(self) -> None:
        """Raises ValueError for an empty secret, with which any process could pass for a router or host."""
        if not self.secret:
            raise ValueError("the cluster's secret is empty")
        object.__setattr__(self, "code_version", CODE_VERSION)

    @property
    def leader_lease(self) -> float:
        """The same for the leader, and never short: hosts' heartbeats wait for nothing, while a leader renews its lease
        between ticks, each of which may write a map. With 1 s a busy machine had another leader every five seconds."""
        return max(self.lease, _MIN_LEADER_LEASE)

    @property
    def running_version(self) -> str:
        """The version of the code that this process runs, which has these options; "" if they are of another version:
        Ray restarts an actor with the options that it was started with first."""
        return CODE_VERSION if self.code_version == CODE_VERSION else ""
