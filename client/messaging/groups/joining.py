"""Coming into groups: by a Welcome, or by an own commit where this device never was in the group or has lost track of
it."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from client.messaging.changes import Change, GroupChanged
from client.messaging.directory import Directory
from client.messaging.groups.believed import (
    JoiningAuthentication,
    ShownDevices,
    group_policy,
    leaves_in,
    signer_of,
)
from client.messaging.groups.gone_devices import GoneDevices
from client.messaging.groups.own_packages import OwnPackages
from client.messaging.groups.requests import FetchGroup, FetchTree, GroupFound, GroupItem
from client.messaging.groups.states import GroupState, GroupStates
from client.messaging.groups.submissions import Submissions
from client.messaging.waits import Waits
from client.storage import Database
from crypto.errors import CryptoError
from crypto.mls import ExternalJoin, Group, GroupPolicy, Roles
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress

_LOOKED_UP = 10


@dataclass(frozen=True, slots=True)
class FetchedTree:
    """`leaves`: of the devices in it. `unknown`: accounts that the directory has to be asked about. `at`: when it was
    fetched."""

    tree: bytes = field(repr=False)
    leaves: dict[DeviceAddress, int] = field(repr=False)
    unknown: deque[str]
    at: int


class Joining:
    """Callers hold the transaction. Trees and GroupInfos are kept in memory: they can be fetched again."""

    def __init__(
        self,
        database: Database,
        own: DeviceAddress,
        directory: Directory,
        shown: ShownDevices,
        policy: GroupPolicy,
        states: GroupStates,
        submissions: Submissions,
        packages: OwnPackages,
        gone_devices: GoneDevices,
        randomness: Randomness,
        is_unverified: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._own = own
        self._directory = directory
        self._shown = shown
        self._policy = policy
        self._states = states
        self._submissions = submissions
        self._packages = packages
        self._gone_devices = gone_devices
        self._randomness = randomness
        self._is_unverified = is_unverified
        self._wanted: set[tuple[str, int]] = set()
        self._trees: dict[tuple[str, int], FetchedTree] = {}
        self._found: dict[str, tuple[GroupFound, FetchedTree]] = {}
        self._joins = Waits()  # each join costs all members a commit

    # --- by a Welcome -------------------------------------------------------------------------------------------

    def trees(self) -> Iterator[FetchTree]:
        """The trees that are needed."""
        for group_id, epoch in sorted(self._wanted):
            yield FetchTree(group_id, epoch)

    def tree_found(self, request: FetchTree, tree: bytes | None, now: int) -> None:
        """`tree`: None if it is not there any more."""
        self._wanted.discard((request.group_id, request.epoch))
        self._trees[request.group_id, request.epoch] = self._fetched(tree or b"", now)

    def enter(self, item: GroupItem, now: int, changes: list[Change], unknown: set[str]) -> Literal["done", "wait"]:
        """Enters a group by a Welcome, once its tree and the keys of all who are in it are here. What does not hold is
        given up: then this device joins by itself, if its account is in the group."""
        key = item.group_id, item.epoch
        if key not in self._trees:
            self._wanted.add(key)
            return "wait"
        fetched = self._trees[key]
        if to_look_up := self._to_look_up(fetched):
            unknown |= to_look_up
            return "wait"
        try:
            group = self._packages.join(item.message or b"", fetched.tree, self._policy, now // 1000)
            Roles.of(group.extensions)
        except CryptoError:
            group = None
        del self._trees[key]
        self._found.pop(item.group_id, None)  # of before the Welcome came
        if group is None or group.group_id.hex() != item.group_id:
            self._states.add(item.group_id, GroupState.JOINING)
            return "done"
        self._submissions.forget(item.group_id)
        self._states.replace(item.group_id, group, GroupState.ACTIVE)
        if item.sender is not None:
            self._accept(item.group_id, item.sender.user)
        self._gone_devices.remove_from(item.group_id)
        changes.append(GroupChanged(item.group_id, None, (self._own.user,)))
        return "done"

    def _accept(self, group_id: str, by: str) -> None:
        """Somebody whom the user writes to has added this account, or the user has: receipts may be sent."""
        self._database.execute(
            "update conversations set accepted = 1 where id = ? and"
            " (? or exists (select 1 from conversations as known where known.peer = ? and known.accepted))",
            *(group_id, by == self._own.user, by),
        )

    # --- by an own commit ---------------------------------------------------------------------------------------

    def fetches(self, group_id: str, now: int) -> bool:
        """Whether GroupInfo and tree are to be fetched."""
        return group_id not in self._found and self._joins.ready(group_id, now)

    def found(self, request: FetchGroup, found: GroupFound, now: int) -> None:
        """The server has shown a group."""
        self._found[request.group_id] = found, self._fetched(found.tree, now)

    def not_found(self, group_id: str) -> None:
        """The account is in no such group."""
        self._states.leave(group_id)

    def join(self, group_id: str, now: int, unknown: set[str]) -> None:
        """Makes the commit by which this device comes in, once the keys of all who are in the group are here."""
        if group_id not in self._found:
            return
        found, fetched = self._found[group_id]
        if to_look_up := self._to_look_up(fetched):
            unknown |= to_look_up
            return
        try:
            joined = self._external_join(group_id, found, fetched, now // 1000)
        except CryptoError:
            joined = None
        del self._found[group_id]
        self._joins.failed(group_id, now)  # whatever comes of it, the next one waits
        if joined is not None and joined.group.group_id.hex() == group_id:
            self._submissions.join(group_id, joined.message, joined.group)

    def _external_join(self, group_id: str, found: GroupFound, fetched: FetchedTree, now_s: int) -> ExternalJoin[Group]:
        """Raises CryptoError. The server could show a group that others have made up: whoever was in this one when this
        device last followed it has to vouch for it."""
        signer = signer_of(found.group_info, found.tree)
        known = self._states.members(group_id)
        if signer is None or self._shown.find(*signer) is None or (known and signer.user not in known):
            raise CryptoError("nobody who is known vouches for this group")
        shown = {address.user for address in fetched.leaves if self._shown.find(*address) is not None}
        joined = Group.external_join(
            found.group_info,
            self._packages.credential(now_s),
            self._packages.signer(),
            self._randomness,
            now=now_s,
            ratchet_tree=found.tree,
            resync=fetched.leaves.get(self._own),
            policy=group_policy(JoiningAuthentication(self._shown, known | shown)),
        )
        Roles.of(joined.group.extensions)
        return joined

    def joined(self, group_id: str, encoded: bytes) -> Change:
        """The commit was accepted."""
        self._submissions.forget(group_id)
        was_known = bool(self._states.members(group_id))
        group = Group.restore(encoded, self._randomness, self._policy)
        joined, gone = self._states.replace(group_id, group, GroupState.ACTIVE)
        self._accept(group_id, self._own.user)
        self._gone_devices.remove_from(group_id)
        return GroupChanged(group_id, self._own.user, tuple(sorted(joined)) if was_known else (), tuple(sorted(gone)))

    def next_at(self, now: int) -> int | None:
        """When a group may be joined that waits."""
        return self._joins.next(now)

    def _fetched(self, tree: bytes, now: int) -> FetchedTree:
        try:
            leaves = leaves_in(tree)
        except CryptoError:  # it is refused when somebody joins by it
            leaves = {}
        return FetchedTree(tree, leaves, deque(sorted(self._shown.unknown(leaves))), now)

    def _to_look_up(self, fetched: FetchedTree) -> set[str]:
        """The next accounts of devices that the directory has not shown, and was not asked about since then. Of many
        only some, since they are asked about one after the other."""
        accounts = fetched.unknown
        while accounts and self._is_asked(accounts[0], fetched.at):
            accounts.popleft()
        return {each for each in islice(accounts, _LOOKED_UP) if not self._is_asked(each, fetched.at)}

    def _is_asked(self, account_id: str, since: int) -> bool:
        known = self._directory.known(account_id)
        return self._is_unverified(account_id) or (known is not None and known.looked_up_at >= since)
