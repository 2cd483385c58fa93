"""One interface over both implementations of MLS, so that every scenario can cast either in any role.

A member stands for one client in one group. Everything between members is bytes in the encoding of RFC 9420.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crypto.mls import (
    Add,
    ApplicationMessage,
    BasicCredential,
    CipherSuite,
    Extension,
    Group,
    GroupContextExtensions,
    GroupPolicy,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    Proposal,
    Psks,
    ReInit,
    Remove,
    SenderType,
    SignatureKeyPair,
    StagedCommit,
    TrustOnPresentation,
    WireFormat,
    join_request,
)
from crypto.randomness import Randomness
from tests.peers.node import NodePeer

POLICY = GroupPolicy(TrustOnPresentation(), allow_external_commits=True, allow_resync=True, allow_join_requests=True)

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class AddMember:
    """key_package: MLSMessage."""

    key_package: bytes


@dataclass(frozen=True, slots=True)
class RemoveMember:
    leaf: int


@dataclass(frozen=True, slots=True)
class UpdateSelf:
    """The proposer's own leaf gets new keys; only ever sent as a proposal."""


@dataclass(frozen=True, slots=True)
class UsePsk:
    psk_id: bytes


@dataclass(frozen=True, slots=True)
class UseResumptionPsk:
    group_id: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class SetExtensions:
    """The whole list of GroupContext extensions: (type, data)."""

    extensions: tuple[tuple[int, bytes], ...]


Change = AddMember | RemoveMember | UpdateSelf | UsePsk | UseResumptionPsk | SetExtensions


@dataclass(frozen=True, slots=True)
class Commit:
    """message: MLSMessage; welcome: MLSMessage or None; tree: ratchet_tree of the new epoch."""

    message: bytes
    welcome: bytes | None
    tree: bytes


@dataclass(frozen=True, slots=True)
class View:
    """What members of one epoch must agree on."""

    group_id: bytes
    epoch: int
    authenticator: bytes
    members: tuple[tuple[int, bytes], ...]  # (leaf index, identity), by leaf


class Member(Protocol):
    """One client in one group, of whichever implementation."""

    name: str

    def key_package(self) -> bytes: ...
    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None: ...
    def join(self, welcome: bytes, tree: bytes | None, previous: Member | None = None) -> None: ...
    def join_external(self, group_info: bytes, tree: bytes | None, resync: int | None = None) -> bytes: ...
    def join_request(self, group_info: bytes, view: View) -> bytes: ...
    def group_info(self, *, with_tree: bool) -> bytes: ...
    def tree(self) -> bytes: ...
    def learn_psk(self, psk_id: bytes, secret: bytes) -> None: ...
    def propose(self, change: Change, *, public: bool = True) -> bytes: ...
    def commit(
        self,
        changes: Sequence[Change] = (),
        *,
        public: bool = True,
        tree_in_welcome: bool = False,
        force_path: bool = False,
    ) -> Commit: ...
    def process(self, message: bytes) -> bytes | None: ...
    def send(self, data: bytes) -> bytes: ...
    def export(self, label: str, context: bytes, length: int) -> bytes: ...
    def view(self) -> View: ...
    @property
    def leaf(self) -> int: ...
    @property
    def active(self) -> bool: ...
    def reinit(self, group_id: bytes, suite: CipherSuite) -> bytes: ...
    def reinit_create(
        self, old: Member, key_packages: Sequence[bytes], group_id: bytes, suite: CipherSuite
    ) -> Commit: ...
    def branch_create(self, old: Member, key_packages: Sequence[bytes], group_id: bytes) -> Commit: ...


@dataclass
class OurMember:
    """`crypto.mls`."""

    name: str
    suite: CipherSuite
    rng: Randomness
    signer: SignatureKeyPair = field(init=False)
    psks: dict[bytes, bytes] = field(default_factory=dict)
    _bundle: KeyPackageBundle | None = None
    _group: Group | None = None

    def __post_init__(self) -> None:
        self.signer = SignatureKeyPair.generate(self.suite, self.rng)

    @property
    def group(self) -> Group:
        assert self._group is not None, f"{self.name} is in no group"
        return self._group

    @property
    def credential(self) -> BasicCredential:
        return BasicCredential(self.name.encode())

    @property
    def now(self) -> int:
        return int(time.time())

    @property
    def lifetime(self) -> Lifetime:
        return Lifetime(self.now - HOUR, self.now + 28 * DAY)

    def _psks(self) -> Psks:
        return Psks(external=dict(self.psks))

    def key_package(self) -> bytes:
        self._bundle = KeyPackageBundle.generate(self.suite, self.credential, self.signer, self.lifetime, self.rng)
        return self._bundle.message()

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None:
        self._group = Group.create(
            self.suite,
            group_id,
            self.credential,
            self.signer,
            self.lifetime,
            self.rng,
            extensions=_extensions(extensions),
            policy=POLICY,
        )

    def join(self, welcome: bytes, tree: bytes | None, previous: Member | None = None) -> None:
        assert self._bundle is not None
        old = previous.group if isinstance(previous, OurMember) else None
        self._group = Group.join(
            welcome,
            self._bundle,
            self.rng,
            now=self.now,
            ratchet_tree=tree,
            psks=self._psks(),
            previous=old,
            policy=POLICY,
        )

    def join_external(
        self,
        group_info: bytes,
        tree: bytes | None,
        resync: int | None = None,
        psk_ids: Sequence[bytes] = (),
    ) -> bytes:
        joined = Group.external_join(
            group_info,
            self.credential,
            self.signer,
            self.rng,
            now=self.now,
            ratchet_tree=tree,
            resync=resync,
            psks=self._psks(),
            psk_ids=psk_ids,
            policy=POLICY,
        )
        self._group = joined.group
        return joined.message

    def join_request(self, group_info: bytes, view: View) -> bytes:
        assert self._bundle is not None
        return join_request(self.suite, view.group_id, view.epoch, self._bundle)

    def group_info(self, *, with_tree: bool) -> bytes:
        return self.group.group_info(with_tree=with_tree, external_pub=True)

    def tree(self) -> bytes:
        return self.group.ratchet_tree()

    def learn_psk(self, psk_id: bytes, secret: bytes) -> None:
        self.psks[psk_id] = secret

    def propose(self, change: Change, *, public: bool = True) -> bytes:
        wire = _wire(public)
        match change:
            case AddMember(key_package):
                return self.group.propose_add(KeyPackage.from_message(key_package), now=self.now, wire_format=wire)
            case RemoveMember(leaf):
                return self.group.propose_remove(leaf, wire_format=wire)
            case UpdateSelf():
                return self.group.propose_update(now=self.now, wire_format=wire)
            case UsePsk(psk_id):
                return self.group.propose_psk(psk_id, wire_format=wire)
            case UseResumptionPsk(group_id, epoch):
                return self.group.propose_resumption_psk(group_id, epoch, wire_format=wire)
            case SetExtensions(extensions):
                return self.group.propose_group_context_extensions(_extensions(extensions), wire_format=wire)

    def _by_value(self, change: Change) -> Proposal:
        match change:
            case AddMember(key_package):
                return Add(KeyPackage.from_message(key_package))
            case RemoveMember(leaf):
                return Remove(leaf)
            case UsePsk(psk_id):
                return self.group.psk(psk_id)
            case UseResumptionPsk(group_id, epoch):
                return self.group.resumption(group_id, epoch)
            case SetExtensions(extensions):
                return GroupContextExtensions(_extensions(extensions))
            case UpdateSelf():
                raise ValueError("an Update is never sent in its own sender's commit")

    def commit(
        self,
        changes: Sequence[Change] = (),
        *,
        public: bool = True,
        tree_in_welcome: bool = False,
        force_path: bool = False,
    ) -> Commit:
        made = self.group.commit(
            [self._by_value(change) for change in changes],
            now=self.now,
            force_path=force_path,
            psks=self._psks(),
            wire_format=_wire(public),
            tree_in_welcome=tree_in_welcome,
            admit=[
                pending.reference
                for pending in self.group.pending_proposals
                if pending.sender.sender_type != SenderType.MEMBER
            ],
        )
        self.group.apply(made)
        return Commit(made.message, made.welcome, self.group.ratchet_tree())

    def process(self, message: bytes) -> bytes | None:
        result = self.group.process(message, now=self.now, psks=self._psks())
        if isinstance(result, StagedCommit):
            self.group.apply(result)
        return result.data if isinstance(result, ApplicationMessage) else None

    def send(self, data: bytes) -> bytes:
        return self.group.encrypt(data)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        return self.group.export_secret(label, context, length)

    def view(self) -> View:
        group = self.group
        return View(
            group.group_id,
            group.epoch,
            group.epoch_authenticator,
            tuple((member.leaf_index, _identity(member.credential)) for member in group.members),
        )

    @property
    def leaf(self) -> int:
        return self.group.own_leaf

    @property
    def active(self) -> bool:
        return self.group.active

    def reload(self) -> None:
        """Write the state out and read it back, as an application does between two runs."""
        self._group = Group.restore(self.group.serialize(), self.rng, POLICY)

    def reinit(self, group_id: bytes, suite: CipherSuite) -> bytes:
        made = self.group.commit([ReInit.of(group_id, suite)], now=self.now)
        self.group.apply(made)
        return made.message

    def reinit_create(self, old: Member, key_packages: Sequence[bytes], group_id: bytes, suite: CipherSuite) -> Commit:
        assert isinstance(old, OurMember)
        self._group, made = old.group.reinitialize(
            [KeyPackage.from_message(package) for package in key_packages],
            self.credential,
            self.signer,
            self.lifetime,
            now=self.now,
        )
        return Commit(made.message, made.welcome, self.group.ratchet_tree())

    def branch_create(self, old: Member, key_packages: Sequence[bytes], group_id: bytes) -> Commit:
        assert isinstance(old, OurMember)
        self._group, made = old.group.branch(
            group_id,
            [KeyPackage.from_message(package) for package in key_packages],
            self.lifetime,
            now=self.now,
        )
        return Commit(made.message, made.welcome, self.group.ratchet_tree())


_handles = itertools.count()


@dataclass
class TsMember:
    """ts-mls, in the driver process `peer`."""

    name: str
    suite: CipherSuite
    peer: NodePeer
    _handle: str = field(default_factory=lambda: f"member-{next(_handles)}")
    _has_keys: bool = False

    def _call(self, op: str, **arguments: Any) -> dict[str, Any]:
        given = {key: value for key, value in arguments.items() if value is not None}
        return self.peer.call(op, member=self._handle, **given)

    def key_package(self) -> bytes:
        self._has_keys = True
        message: bytes = self._call("key_package", suite=int(self.suite), identity=self.name.encode())["message"]
        return message

    def _need_keys(self) -> None:
        if not self._has_keys:
            self.key_package()

    def create(self, group_id: bytes, extensions: Sequence[tuple[int, bytes]] = ()) -> None:
        self._need_keys()
        self._call("create", group_id=group_id, extensions=extensions)

    def join(self, welcome: bytes, tree: bytes | None, previous: Member | None = None) -> None:
        resumes = previous._handle if isinstance(previous, TsMember) else None
        self._call("join", welcome=welcome, tree=tree, resumes=resumes)

    def join_external(self, group_info: bytes, tree: bytes | None, resync: int | None = None) -> bytes:
        self._need_keys()
        joined = self._call("join_external", group_info=group_info, tree=tree, resync=resync is not None)
        message: bytes = joined["message"]
        return message

    def join_request(self, group_info: bytes, view: View) -> bytes:
        return self._bytes("join_request", group_info=group_info)

    def _bytes(self, op: str, **arguments: Any) -> bytes:
        message: bytes = self._call(op, **arguments)["message"]
        return message

    def group_info(self, *, with_tree: bool) -> bytes:
        return self._bytes("group_info", tree=with_tree)

    def tree(self) -> bytes:
        tree: bytes = self._call("tree")["tree"]
        return tree

    def learn_psk(self, psk_id: bytes, secret: bytes) -> None:
        self._need_keys()
        self._call("psk", psk_id=psk_id, secret=secret)

    def propose(self, change: Change, *, public: bool = True) -> bytes:
        return self._bytes("propose", proposal=_described(change), public=public)

    def commit(
        self,
        changes: Sequence[Change] = (),
        *,
        public: bool = True,
        tree_in_welcome: bool = False,
        force_path: bool = False,
    ) -> Commit:
        if force_path:
            raise ValueError("ts-mls adds a path only where RFC 9420 demands one")
        made = self._call(
            "commit", proposals=[_described(change) for change in changes], public=public, tree=tree_in_welcome
        )
        return self._committed(made)

    def _committed(self, made: Mapping[str, Any]) -> Commit:
        return Commit(made["message"], made["welcome"], self.tree())

    def process(self, message: bytes) -> bytes | None:
        return self._call("process", message=message).get("data")

    def send(self, data: bytes) -> bytes:
        return self._bytes("send", data=data)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        secret: bytes = self._call("export", label=label, context=context, length=length)["secret"]
        return secret

    def view(self) -> View:
        info = self._call("info")
        return View(
            info["group_id"],
            info["epoch"],
            info["authenticator"],
            tuple((leaf, identity) for leaf, identity in info["members"]),
        )

    @property
    def leaf(self) -> int:
        leaf: int = self._call("info")["leaf"]
        return leaf

    @property
    def active(self) -> bool:
        return bool(self._call("info")["state"] == "active")

    def reinit(self, group_id: bytes, suite: CipherSuite) -> bytes:
        return self._bytes("reinit", group_id=group_id, suite=int(suite), extensions=[])

    def reinit_create(self, old: Member, key_packages: Sequence[bytes], group_id: bytes, suite: CipherSuite) -> Commit:
        assert isinstance(old, TsMember)
        self._need_keys()
        return self._committed(
            self._call(
                "reinit_create",
                old=old._handle,
                key_packages=key_packages,
                group_id=group_id,
                suite=int(suite),
                extensions=[],
            )
        )

    def branch_create(self, old: Member, key_packages: Sequence[bytes], group_id: bytes) -> Commit:
        assert isinstance(old, TsMember)
        self._need_keys()
        return self._committed(
            self._call("branch_create", old=old._handle, key_packages=key_packages, group_id=group_id)
        )


def _wire(public: bool) -> WireFormat:
    return WireFormat.PUBLIC_MESSAGE if public else WireFormat.PRIVATE_MESSAGE


def _extensions(extensions: Sequence[tuple[int, bytes]]) -> tuple[Extension, ...]:
    return tuple(Extension(kind, data) for kind, data in extensions)


def _identity(credential: object) -> bytes:
    assert isinstance(credential, BasicCredential)
    return credential.identity


def _described(change: Change) -> dict[str, Any]:
    """The driver's form of a proposal."""
    match change:
        case AddMember(key_package):
            return {"type": "add", "key_package": key_package}
        case RemoveMember(leaf):
            return {"type": "remove", "leaf": leaf}
        case UpdateSelf():
            return {"type": "update"}
        case UsePsk(psk_id):
            return {"type": "psk", "psk_id": psk_id}
        case UseResumptionPsk(group_id, epoch):
            return {"type": "resumption_psk", "group_id": group_id, "epoch": epoch}
        case SetExtensions(extensions):
            return {"type": "extensions", "extensions": extensions}
