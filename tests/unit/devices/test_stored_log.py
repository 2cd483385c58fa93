"""The stored log is crypto.transparency.MerkleTree: the same roots and the same proofs, from stored nodes."""

from crypto.transparency import MerkleTree, consistency_ranges, inclusion_ranges, leaf_hash
from features.devices.directory import stored_log
from features.devices.directory.stored_log import Node, Range


def test_roots_and_proofs_are_those_of_the_tree() -> None:
    tree = MerkleTree()
    nodes: dict[Node, bytes] = {}

    def hashes(ranges: list[Range]) -> list[bytes]:
        needed = stored_log.needed(ranges)
        return list(stored_log.hashes(ranges, {node: nodes[node] for node in needed}))

    for size in range(1, 70):
        hashed = leaf_hash(b"%d" % size)
        before = {node: nodes[node] for node in stored_log.before(size - 1)}
        nodes |= stored_log.appended(size - 1, hashed, before)
        tree.append_hash(hashed)
        assert hashes([(0, size)]) == [tree.root()]
        for index in range(size):
            assert hashes(inclusion_ranges(index, size)) == tree.inclusion_proof(index)
            assert hashes(consistency_ranges(index + 1, size)) == tree.consistency_proof(index + 1)
