"""Groups of ts-mls, for the MLS figures. Times are the driver's own: Node's start, JSON and pipes are not in them."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.cost import Cost
from tests.peers.node import HERE, NodePeer


def name() -> str:
    """ "ts-mls" and the installed version."""
    package = json.loads((HERE / "node_modules" / "ts-mls" / "package.json").read_text())
    return f"ts-mls {package['version']}"


class TsMlsGroups:
    """The same steps as `OurGroups` takes; each returns its cost, and the bytes that travel."""

    def __init__(self, peer: NodePeer, suite: int) -> None:
        self._peer = peer
        self._suite = suite

    def _timed(self, op: str, **arguments: Any) -> tuple[Cost, dict[str, Any]]:
        result = self._peer.call(op, **arguments)
        return Cost(self._peer.last_wall, self._peer.last_cpu), result

    def key_package(self, member: str) -> bytes:
        message: bytes = self._peer.call("key_package", member=member, suite=self._suite, identity=member.encode())[
            "message"
        ]
        return message

    def create(self, founder: str, key_packages: list[bytes]) -> tuple[Cost, bytes, bytes]:
        """Cost, Welcome, tree."""
        self.key_package(founder)
        created, _ = self._timed("create", member=founder, group_id=b"benchmark")
        adds = [{"type": "add", "key_package": package} for package in key_packages]
        committed, made = self._timed("commit", member=founder, proposals=adds, public=True, tree=False)
        return created + committed, made["welcome"], self._peer.call("tree", member=founder)["tree"]

    def join(self, member: str, welcome: bytes, tree: bytes) -> Cost:
        return self._timed("join", member=member, welcome=welcome, tree=tree)[0]

    def join_external(self, member: str, group_info: bytes, tree: bytes) -> tuple[Cost, bytes]:
        self.key_package(member)
        cost, joined = self._timed("join_external", member=member, group_info=group_info, tree=tree)
        return cost, joined["message"]

    def public_group(self, member: str) -> tuple[bytes, bytes]:
        """GroupInfo and tree."""
        info: bytes = self._peer.call("group_info", member=member, tree=False)["message"]
        tree: bytes = self._peer.call("tree", member=member)["tree"]
        return info, tree

    def update(self, member: str) -> tuple[Cost, bytes]:
        """Cost, commit."""
        cost, made = self._timed("commit", member=member, proposals=[], public=True, tree=False)
        return cost, made["message"]

    def process(self, member: str, message: bytes) -> Cost:
        return self._timed("process", member=member, message=message)[0]

    def send(self, member: str, data: bytes) -> tuple[Cost, bytes]:
        cost, sent = self._timed("send", member=member, data=data)
        return cost, sent["message"]

    def forget(self, member: str) -> None:
        self._peer.call("forget", member=member)
