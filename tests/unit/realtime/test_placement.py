"""Which realtime hosts run where, their names, and the choice of a host for a client."""

from collections import Counter
from random import Random

import pytest

from actors.delivery.endpoint import HostName
from actors.realtime.placement import HostState, IdleNodes, Patience, Steps, next_steps
from features.realtime.service import choose
from features.realtime.store import ListedHost

OLD, NEW = HostState("serving", "1"), HostState("serving", "2")


def test_every_node_gets_its_hosts_and_those_that_are_to_go_lose_theirs() -> None:
    hosts = {("a", 1): NEW, ("b", 0): NEW, ("c", 0): NEW, ("d", 0): HostState("draining", "2")}
    steps = next_steps({"a", "b", "d"}, {"b"}, hosts, per_node=2, target="")
    assert steps.start == [("a", 0), ("d", 1), ("d", 2)]
    assert steps.drain == [("b", 0), ("d", 0)], "also one whose drain was begun by another process"
    assert steps.lost == [("c", 0)]
    assert next_steps({"a"}, set(), {("a", 0): NEW}, per_node=1, target="2") == Steps()


def test_an_idle_node_gets_no_host_and_loses_its_own_after_a_while() -> None:
    assert next_steps({"a", "b"}, set(), {("a", 0): NEW}, 1, "", idle={"b"}) == Steps()
    assert next_steps({"a", "b"}, set(), {("a", 0): NEW, ("b", 0): NEW}, 1, "", idle={"b"}) == Steps()
    nodes = IdleNodes(after_s=60)
    assert not nodes.left({"b", "c"}, 0)
    assert nodes.left({"b"}, 59) == set()
    assert nodes.left({"b", "c"}, 60) == {"b"}, "c had something to do meanwhile"
    assert nodes.left({"b", "c"}, 120) == {"b", "c"}


def test_without_a_target_nothing_is_replaced() -> None:
    assert next_steps({"a"}, set(), {("a", 0): OLD, ("a", 1): NEW}, per_node=1, target="") == Steps()


@pytest.mark.parametrize("per_node", [1, 2, 3])
@pytest.mark.parametrize("target", ["2", "3"], ids=["begun", "in the middle of another update"])
def test_an_update_leaves_every_node_its_hosts_and_replaces_one_at_a_time(per_node: int, target: str) -> None:
    hosts = {(node, index): OLD for node in "ab" for index in range(per_node)}
    if target == "3":
        hosts["a", per_node] = NEW
        hosts["b", per_node] = HostState("starting", "2")
    updated = HostState("serving", target)
    for _ in range(20 * per_node):
        steps = next_steps({"a", "b"}, set(), hosts, per_node, target)
        assert len(steps.drain) + len(steps.surge) <= 1
        assert not steps.start
        if steps == Steps():
            break
        # A round is over before what it has started serves.
        hosts |= dict.fromkeys(steps.surge, HostState("silent"))
        for place in steps.drain:
            del hosts[place]
        waits = next_steps({"a", "b"}, set(), hosts, per_node, target)
        assert not steps.surge or waits == Steps(), "nothing else happens before the new host serves"
        hosts |= dict.fromkeys(steps.surge, updated)
        for node in "ab":
            assert sum(at == node and state.phase == "serving" for (at, _), state in hosts.items()) >= per_node
    assert sorted(hosts.values(), key=str) == [updated] * 2 * per_node
    assert all(index <= per_node for _, index in hosts), "there are not more ports"


def test_a_hosts_name_is_its_address() -> None:
    name = HostName("realtime-1", "node", "10.0.0.1:7000", "/tmp/x.sock")
    assert HostName.parse(str(name)) == name
    assert (name.endpoint.node, name.endpoint.address, name.endpoint.socket) == (
        "node",
        "10.0.0.1:7000",
        "/tmp/x.sock",
    )
    with pytest.raises(ValueError):
        HostName.parse("realtime-1")


def test_clients_are_spread_and_full_hosts_are_spared() -> None:
    hosts = [ListedHost("a", "", 100), ListedHost("b", "", 100), ListedHost("c", "", 900)]
    random = Random(7)
    chosen = Counter(choose(hosts, random).id for _ in range(3000))
    assert chosen["a"] > 1000
    assert chosen["b"] > 800
    assert 0 < chosen["c"] < 500


def test_a_host_that_does_not_serve_is_replaced_and_its_successor_has_twice_the_time() -> None:
    patience, place = Patience(), ("a", 0)
    replaced = [now for now in range(0, 500, 10) if patience.replace(place, serves=False, now=float(now))]
    assert replaced == [60, 180, 420]
    assert not patience.replace(place, serves=True, now=500.0)
    again = [now for now in range(510, 600, 10) if patience.replace(place, serves=False, now=float(now))]
    assert again == [570], "one that served has the usual time"
