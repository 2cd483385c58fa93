"""What a deploy stores, what the leader and operators read of it."""

from actors.runtime.store.code_versions import deploy_code, runtime_code, target_version
from actors.runtime.store.rows import HostRow
from actors.runtime.store.shard_store import ShardStore
from cluster.postgres import Database, connect_database
from deployments.code_updates import as_json, summary


async def deploy(database: Database, version: str) -> None:
    async with database.unit_of_work() as unit:
        await deploy_code(unit, version)
        await unit.commit()


async def test_a_deploy_reaches_the_leader_and_operators_see_how_far_it_is(database_address: str) -> None:
    store = await ShardStore.open(database_address, application="test")
    async with connect_database(database_address, pool_size=2) as database:
        leadership = (await store.lead("c", 30.0, "v1")).leadership
        assert leadership is not None
        generation = leadership.position.generation
        async with database.unit_of_work(read_only=True) as unit:
            assert await target_version(unit) == ""
            assert summary(await runtime_code(unit)) == "no version deployed yet"
        await deploy(database, "v1")
        for number, version in enumerate(("v1", "v2", "")):
            row = HostRow(f"host-{number}.1", f"host-{number}", "node", "", "", False, {}, version)
            await store.register(row, 30.0)
        await deploy(database, "v2")

        renewal = await store.renew(generation, 30.0)
        assert renewal.target_version == "v2"
        assert sorted(row.code_version for row in renewal.hosts) == ["", "v1", "v2"]
        async with database.unit_of_work(read_only=True) as unit:
            code = await runtime_code(unit)
        assert summary(code) == "updating to v2: 1 of 4 done (leader v1; hosts 1 x unknown, 1 x v1, 1 x v2)"
        shown = as_json(code)
        assert (shown["target"], shown["outdated"], shown["leader"]) == ("v2", 3, "v1")

        deployed_at = code.deployed_at
        await deploy(database, "v2")
        for number in (0, 2):
            await store.deregister(generation, f"host-{number}.1")
        await store.resign("c")
        await store.lead("d", 30.0, "v2")
        async with database.unit_of_work(read_only=True) as unit:
            code = await runtime_code(unit)
        assert code.deployed_at == deployed_at, "a deploy of what is there changes nothing"
        assert summary(code) == "v2 everywhere (1 hosts and the leader)"
    await store.close()
