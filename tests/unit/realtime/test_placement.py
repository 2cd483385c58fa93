"""Which realtime hosts run where, their names, and the choice of a host for a client."""

from collections import Counter
from random import Random

import pytest

from actors.delivery.endpoint import HostName
from actors.realtime.reconciler import Patience, missing_and_surplus
from features.realtime.service import choose
from features.realtime.store import ListedHost


def test_every_node_gets_its_hosts_and_lost_nodes_lose_theirs() -> None:
    missing, surplus = missing_and_surplus({"a", "b"}, {("a", 0), ("a", 1), ("a", 2), ("c", 0)}, per_node=2)
    assert missing == [("b", 0), ("b", 1)]
    assert surplus == [("a", 2), ("c", 0)]
    assert missing_and_surplus({"a"}, {("a", 0)}, per_node=1) == ([], [])


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
