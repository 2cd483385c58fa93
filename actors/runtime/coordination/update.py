"""Which hosts should be there while hosts of another version of the code, or on nodes that are to go, are replaced.
Pure decisions.

One host more than usual, the surge host, takes over what the others give away. Then the hosts that are to be replaced
(those on nodes that are to go first) are drained one at a time; each ends when it is empty, and is started again like
any host that is missing. When none is left the surge host goes, which is drained like any host that is not wanted. A
new version whose hosts do not come up thus costs no host of the old one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from actors.runtime.store.rows import HostRow
from actors.runtime.transport.ray_control import SURGE_HOST, host_name


@dataclass(frozen=True, slots=True)
class WantedHosts:
    """The hosts that should run now."""

    names: frozenset[str]
    replacing: str = ""
    """The incarnation among them that is to be emptied and started anew; "" if none is."""

    def drains(self, row: HostRow) -> bool:
        """Whether a host's shards are to be moved away."""
        return row.name not in self.names or row.host == self.replacing


def outdated(rows: Sequence[HostRow], target: str) -> list[HostRow]:
    """The hosts that run another version of the code than they should."""
    return [row for row in rows if target and row.code_version != target]


def wanted_hosts(
    rows: Sequence[HostRow], count: int, target: str, *, may_replace: bool, leaving: Collection[str] = ()
) -> WantedHosts:
    """Decides which hosts should run, given the living ones, how many the load wants, and the nodes that are `leaving`.

    Hosts of another version than the ``target`` are replaced only if the caller knows that new hosts would run it
    (``may_replace``).
    """
    usual = frozenset(host_name(index) for index in range(count))
    serving = {row.name for row in rows if not row.draining}
    names = usual | {SURGE_HOST}
    moves = [row for row in rows if row.name in names and row.node in leaving]
    others = [row for row in outdated(rows, target) if row.name in names and row not in moves]
    done = all(row.name == SURGE_HOST for row in (*moves, *others))
    replaceable = moves or (others if may_replace else [])
    if done or not replaceable:
        # It stands in for hosts that were just replaced until they serve.
        stands_in = SURGE_HOST in serving and not (done and usual <= serving)
        return WantedHosts(names if stands_in else usual)
    under_way = [row for row in replaceable if row.draining]
    if under_way or names <= serving:
        # A surge host that is to be replaced itself would have to be replaced last, with all that it has got.
        chosen = min(under_way or replaceable, key=lambda row: (row.name != SURGE_HOST, row.name, row.host))
        return WantedHosts(names, chosen.host)
    return WantedHosts(names)
