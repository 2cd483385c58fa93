"""Validity of leaf nodes and of whole trees (RFC 9420 sections 7.3 and 12.4.3.1)."""

from dataclasses import dataclass
from functools import cached_property

from crypto.mls import tree_math
from crypto.mls.capabilities import MLS10
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.credentials import AuthenticationService
from crypto.mls.errors import InvalidInput, InvalidKeyPackage, InvalidLeafNode, InvalidTree
from crypto.mls.extensions import Extensions, RequiredCapabilities, external_senders
from crypto.mls.key_package import KeyPackage
from crypto.mls.leaf_node import LeafNode, LeafNodeSource
from crypto.mls.parent_hash import verify_parent_hashes
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.treekem import check_node_keys


@dataclass(frozen=True)
class LeafRules:
    """What leaf nodes are measured against.

    ``max_lifetime`` is in seconds, None for no limit. ``now`` (seconds since the Unix epoch) is None where an expired
    leaf is acceptable: in a tree or message received late, the leaf may have been valid when it was sent.
    """

    crypto: SuiteCrypto
    group_id: bytes
    extensions: Extensions
    authentication: AuthenticationService
    max_lifetime: int | None
    now: int | None

    @cached_property
    def required(self) -> RequiredCapabilities:
        return RequiredCapabilities.of(self.extensions)

    def check(self, leaf: LeafNode, number: int, source: LeafNodeSource | None = None) -> None:
        """Raise unless ``leaf`` is valid by itself at leaf ``number`` (all of section 7.3 but its last items)."""
        if source is not None and leaf.source != source:
            raise InvalidLeafNode("the leaf node has the wrong source")
        self._check_encryption_key(leaf.encryption_key)
        if leaf.parent_hash is not None and len(leaf.parent_hash) not in (0, self.crypto.hash_size):
            raise InvalidLeafNode("the parent hash has the wrong length")
        leaf.verify_signature(self.crypto, self.group_id, number)
        self.check_lifetime(leaf)
        self.check_support(leaf)
        self.authentication.validate(leaf.credential, leaf.signature_key, self.now)

    def check_again(self, leaf: LeafNode) -> None:
        """What may have changed since :meth:`check`: the group's extensions, and who is believed."""
        self.check_support(leaf)
        self.authentication.validate(leaf.credential, leaf.signature_key, self.now)

    def _check_encryption_key(self, key: bytes) -> None:
        # A key that nothing can be encrypted to would stop every commit that has to.
        try:
            self.crypto.kem.check_public_key(key)
        except InvalidInput:
            raise InvalidLeafNode("the encryption key is invalid") from None

    def check_lifetime(self, leaf: LeafNode) -> None:
        lifetime = leaf.lifetime
        if lifetime is None:
            return
        if lifetime.duration < 0:
            raise InvalidLeafNode("the lifetime ends before it begins")
        if self.max_lifetime is not None and lifetime.duration > self.max_lifetime:
            raise InvalidLeafNode("the lifetime is longer than the policy allows")
        if self.now is not None and not lifetime.contains(self.now):
            raise InvalidLeafNode("the leaf node is not valid at this time")

    def check_support(self, leaf: LeafNode) -> None:
        """The leaf supports the group's parameters and what it uses itself."""
        capabilities = leaf.capabilities
        if MLS10 not in capabilities.versions or self.crypto.suite not in capabilities.cipher_suites:
            raise InvalidLeafNode("the leaf node does not support the group's version or cipher suite")
        if not capabilities.satisfies(self.required):
            raise InvalidLeafNode("the leaf node lacks required capabilities")
        if not capabilities.supports_extensions(self.extensions):
            raise InvalidLeafNode("the leaf node does not support the group's extensions")
        if not capabilities.supports_extensions(leaf.extensions):
            raise InvalidLeafNode("the leaf node uses an extension that it does not list")
        if leaf.credential.credential_type not in capabilities.credential_set:
            raise InvalidLeafNode("the leaf node uses a credential type that it does not list")

    def check_group_extensions(self) -> None:
        """Raise unless the group's own extensions can be read and its external senders are believed."""
        _ = self.required
        for sender in external_senders(self.extensions):
            self.authentication.validate(sender.credential, sender.signature_key, self.now)

    def check_key_package(self, package: KeyPackage) -> None:
        """Raise unless ``package`` may be added (section 10.1)."""
        if package.version != MLS10 or package.cipher_suite != self.crypto.suite:
            raise InvalidKeyPackage("the KeyPackage is for another version or cipher suite")
        if package.init_key == package.leaf_node.encryption_key:
            raise InvalidKeyPackage("the KeyPackage uses one key twice")
        try:
            self.crypto.kem.check_public_key(package.init_key)
        except InvalidInput:
            raise InvalidKeyPackage("the init key is invalid") from None
        package.verify_signature(self.crypto)
        self.check(package.leaf_node, 0, LeafNodeSource.KEY_PACKAGE)


def check_width(tree: RatchetTree, max_width: int) -> None:
    """Raise InvalidTree if ``tree`` has more leaves, blank ones included, than new members would accept."""
    if tree.width > max_width:
        raise InvalidTree("the tree has more leaves than the policy allows")


def check_members_agree(tree: RatchetTree) -> None:
    """Keys are unique, and everybody supports every credential type in use (the last rules of section 7.3)."""
    leaves = [leaf for _, leaf in tree.leaves()]
    if len({leaf.signature_key for leaf in leaves}) != len(leaves):
        raise InvalidLeafNode("two members have the same signature key")
    if len(tree.encryption_keys()) != len(leaves) + sum(1 for _ in tree.parents()):
        raise InvalidTree("an encryption key appears twice in the tree")
    in_use = {int(leaf.credential.credential_type) for leaf in leaves}
    if not all(in_use <= leaf.capabilities.credential_set for leaf in leaves):
        raise InvalidLeafNode("a credential type in use is not supported by every member")


def check_tree(tree: RatchetTree, rules: LeafRules) -> None:
    """Everything a joiner verifies about a tree whose hash is known to be right (section 12.4.3.1)."""
    verify_parent_hashes(tree)
    check_unmerged_leaves(tree)
    check_node_keys(tree.crypto, (node.encryption_key for _, node in tree.parents()))
    for number, leaf in tree.leaves():
        rules.check(leaf, number)
    check_members_agree(tree)


def check_unmerged_leaves(tree: RatchetTree) -> None:
    """Unmerged leaves exist, lie below their node, and are listed by every node in between."""
    for index, node in tree.parents():
        for number in node.unmerged_leaves:
            if tree.leaf(number) is None or not tree_math.covers(index, number):
                raise InvalidTree("an unmerged leaf is not a member below its node")
            between = tree_math.parent(2 * number)
            while between != index:
                inner = tree.parent(between)
                if inner is not None and not inner.unmerged_under(2 * number):
                    raise InvalidTree("an unmerged leaf is missing in a node below")
                between = tree_math.parent(between)
