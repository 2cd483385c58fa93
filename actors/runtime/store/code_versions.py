"""Which version of the code a runtime should run, and which one its processes run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cluster.postgres import UnitOfWork


@dataclass(frozen=True, slots=True)
class HostCode:
    """One living host."""

    name: str
    node: str
    version: str
    """"" if it does not say."""
    draining: bool


@dataclass(frozen=True, slots=True)
class RuntimeCode:
    """What operators want to know of an update."""

    target: str
    """"" if nothing was deployed yet."""
    deployed_at: datetime | None
    leader: str
    """The version of the coordinator that led last."""
    hosts: tuple[HostCode, ...]

    @property
    def outdated(self) -> int:
        """How many hosts, the leader included, are still to be replaced."""
        return sum(bool(self.target) and version != self.target for version in self._versions())

    def _versions(self) -> list[str]:
        return [self.leader, *(host.version for host in self.hosts)]


async def deploy_code(unit: UnitOfWork, version: str) -> None:
    """Wants a version of the code from now on. The runtime replaces what runs another one."""
    await unit.execute(
        "UPDATE shard_coordinator SET target_version = $1, deployed_at = clock_timestamp() WHERE target_version <> $1",
        version,
    )


async def target_version(unit: UnitOfWork) -> str:
    """The version that was deployed last; "" if none was."""
    return str(await unit.fetchval("SELECT target_version FROM shard_coordinator"))


async def runtime_code(unit: UnitOfWork) -> RuntimeCode:
    """The versions wanted and running."""
    wanted = await unit.fetchrow("SELECT target_version, deployed_at, code_version FROM shard_coordinator")
    assert wanted is not None
    hosts = await unit.fetch("SELECT name, node, code_version, draining FROM shard_hosts ORDER BY name, host")
    return RuntimeCode(
        wanted["target_version"],
        wanted["deployed_at"],
        wanted["code_version"],
        tuple(HostCode(row["name"], row["node"], row["code_version"], row["draining"]) for row in hosts),
    )
