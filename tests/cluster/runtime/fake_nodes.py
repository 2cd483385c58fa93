"""Nodes for Ray's autoscaler that are processes on this machine."""

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class FakeNodes(FakeMultiNodeProvider):
    """Ray's own ones have ids that differ in their last digits only; ids of real nodes are random."""

    def _next_hex_node_id(self) -> str:
        number: str = super()._next_hex_node_id()  # type: ignore[no-untyped-call]
        return number[::-1]
