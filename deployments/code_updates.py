"""Updates of the code: what `deploy` asks of the entity runtimes, and what `status` says of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from actors.runtime.store.code_versions import RuntimeCode, deploy_code, runtime_code
from cluster.code_version import CODE_VERSION
from cluster.postgres import connect_database
from cluster.storage_errors import DATABASE_ERRORS


def replace_other_code(databases: Mapping[str, str]) -> None:
    """Lets the runtime of each brand replace what runs another version of the code than this process. Returns at
    once. `databases` are the brands' addresses."""

    async def replace(address: str) -> None:
        async with connect_database(address, pool_size=1) as database, database.unit_of_work() as unit:
            await deploy_code(unit, CODE_VERSION)
            await unit.commit()

    for address in databases.values():
        asyncio.run(replace(address))


def read_runtimes(databases: Mapping[str, str]) -> dict[str, RuntimeCode]:
    """The versions that each brand's runtime runs, and should run; without the brands whose database cannot say."""

    async def read(address: str) -> RuntimeCode:
        async with (
            connect_database(address, pool_size=1) as database,
            database.unit_of_work(read_only=True) as unit,
        ):
            return await runtime_code(unit)

    found = {}
    for brand, address in databases.items():
        with suppress(*DATABASE_ERRORS):
            found[brand] = asyncio.run(read(address))
    return found


def summary(code: RuntimeCode) -> str:
    """A line about one runtime's update."""
    if not code.target:
        return "no version deployed yet"
    total = len(code.hosts) + 1
    if not code.outdated:
        return f"{code.target} everywhere ({len(code.hosts)} hosts and the leader)"
    versions = Counter(host.version or "unknown" for host in code.hosts)
    hosts = ", ".join(f"{count} x {version}" for version, count in sorted(versions.items()))
    done = total - code.outdated
    return f"updating to {code.target}: {done} of {total} done (leader {code.leader or 'unknown'}; hosts {hosts})"


def as_json(code: RuntimeCode) -> dict[str, object]:
    """The same for programs."""
    return {
        "target": code.target,
        "deployed_at": code.deployed_at.isoformat() if code.deployed_at else None,
        "outdated": code.outdated,
        "leader": code.leader,
        "hosts": [
            {"name": host.name, "node": host.node, "version": host.version, "draining": host.draining}
            for host in code.hosts
        ],
    }
