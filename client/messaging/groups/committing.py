"""Makes the proposals and commits of this device: what its user wants, and what others have proposed."""

from collections.abc import Callable, Collection, Iterator

from client.messaging.changes import Change, NotAdded, NotSent
from client.messaging.directory import Directory
from client.messaging.groups.believed import address_of
from client.messaging.groups.own_packages import OwnPackages
from client.messaging.groups.requests import ClaimKeyPackages, KeyPackagesClaimed
from client.messaging.groups.states import GroupState, GroupStates, accounts_of, leaves_of
from client.messaging.groups.submissions import Submissions
from client.messaging.groups.wishes import (
    AddPeople,
    Leave,
    RemoveDevices,
    RemovePeople,
    SetRole,
    StoredWish,
    Wishes,
)
from client.messaging.requests import LookUpKeys
from crypto.errors import CryptoError
from crypto.mls import (
    Add,
    ExtensionType,
    Group,
    GroupContextExtensions,
    GroupPolicy,
    IdentityCredential,
    KeyPackage,
    Proposal,
    Remove,
    Role,
    Roles,
    check_key_package,
)
from crypto.sessions import DeviceAddress

_CLAIMED = 250
"""Accounts of one claim."""
_TURN_MS = 2_000
_TURNS = 30
"""Proposals are committed at once by the first device in the tree that can, and by each further one that much later,
so that 1,500 devices do not do it at the same time."""


class Committing:
    """Callers hold the transaction."""

    def __init__(
        self,
        own: DeviceAddress,
        directory: Directory,
        policy: GroupPolicy,
        states: GroupStates,
        submissions: Submissions,
        wishes: Wishes,
        packages: OwnPackages,
        is_unverified: Callable[[str], bool],
    ) -> None:
        self._own = own
        self._directory = directory
        self._policy = policy
        self._states = states
        self._submissions = submissions
        self._wishes = wishes
        self._packages = packages
        self._is_unverified = is_unverified
        self._pending_since: dict[str, tuple[int, int]] = {}  # epoch and time

    # --- what the user wants ------------------------------------------------------------------------------------

    def fulfil(self, group_id: str, now: int, changes: list[Change]) -> Iterator[LookUpKeys | ClaimKeyPackages]:
        """Makes what the server has to accept for the first wish, or says what is to be asked before."""
        stored = self._wishes.first(group_id)
        if stored is None:
            return
        group = self._states.open(group_id)
        match stored.wish:
            case AddPeople(account_ids):
                yield from self._add(group_id, group, stored, account_ids, now, changes)
            case RemovePeople(account_ids):
                gone = [leaf for address, leaf in leaves_of(group).items() if address.user in account_ids]
                self._commit(group_id, group, list(map(Remove, gone)), stored, now, changes)
            case RemoveDevices(addresses):
                gone = [leaf for address, leaf in leaves_of(group).items() if address in addresses]
                self._commit(group_id, group, list(map(Remove, gone)), stored, now, changes)
            case SetRole(account_id, role):
                self._commit(group_id, group, _role_change(group, account_id, role), stored, now, changes)
            case Leave():
                self._propose_to_leave(group_id, group)

    def _add(
        self,
        group_id: str,
        group: Group,
        stored: StoredWish,
        account_ids: Collection[str],
        now: int,
        changes: list[Change],
    ) -> Iterator[LookUpKeys | ClaimKeyPackages]:
        members = accounts_of(group)
        wanted = [each for each in account_ids if each not in members]
        due = [each for each in self._directory.due_among(wanted, now) if not self._is_unverified(each)]
        if due:
            yield from map(self._directory.request, due)
            return
        there = [each for each in wanted if self._directory.devices(each) and not self._is_unverified(each)]
        packages = self._accepted_packages(stored.packages or (), there, now)
        claimed = {address_of(each.leaf_node.credential).user for each in packages}
        missing = [each for each in there if each not in claimed]
        if len(there) < len(account_ids):
            changes += [NotAdded(group_id, each) for each in wanted if each not in there]
            self._wishes.narrow(stored.number, AddPeople(tuple(there)))
        if missing:
            yield ClaimKeyPackages(group_id, tuple(missing[:_CLAIMED]))
            return
        removals = [Remove(leaf) for leaf in self._stale(group_id, group)]
        self._commit(group_id, group, [*map(Add, packages), *removals] if packages else [], stored, now, changes)

    def claimed(self, request: ClaimKeyPackages, response: KeyPackagesClaimed, now: int, changes: list[Change]) -> None:
        """KeyPackages have come. Accounts without one that holds are not added."""
        stored = self._wishes.first(request.group_id)
        if stored is None or not isinstance(stored.wish, AddPeople):
            return
        packages = self._accepted_packages(response.packages, request.account_ids, now)
        there = {address_of(each.leaf_node.credential).user for each in packages}
        gone = [each for each in request.account_ids if each not in there]
        changes += [NotAdded(request.group_id, each) for each in gone]
        self._wishes.narrow(
            stored.number, AddPeople(tuple(each for each in stored.wish.account_ids if each not in gone))
        )
        self._wishes.claimed(stored.number, [*(stored.packages or ()), *(each.message() for each in packages)])

    def _accepted_packages(
        self, packages: Collection[bytes], account_ids: Collection[str], now: int
    ) -> list[KeyPackage]:
        """Those that members would accept, of devices that these accounts have now: one of each."""
        found: dict[DeviceAddress, KeyPackage] = {}
        for each in packages:
            try:
                package = check_key_package(each, now=now // 1000, policy=self._policy)
                statement = IdentityCredential.of(package.leaf_node.credential)
            except CryptoError:
                continue
            address = DeviceAddress(statement.user, statement.device)
            present = self._directory.devices(address.user).get(address.device)
            if address.user in account_ids and present == statement.identity:
                found[address] = package
        return list(found.values())

    def _stale(self, group_id: str, group: Group) -> list[int]:
        """Leaves of devices that their accounts have removed, as far as is known here, and that this one may remove."""
        role = self._states.role(group_id, self._own.user) or Role.MEMBER
        found = []
        for address, leaf in leaves_of(group).items():
            present = self._directory.devices(address.user)
            if present and address.device not in present:
                theirs = self._states.role(group_id, address.user) or Role.MEMBER
                if address.user == self._own.user or role is Role.OWNER or role > theirs:
                    found.append(leaf)
        return found

    def _propose_to_leave(self, group_id: str, group: Group) -> None:
        leaves = leaves_of(group)
        if accounts_of(group) == {self._own.user}:  # there is nobody who could commit it
            self._states.leave(group_id)
            return
        proposed = _proposed_removals(group)
        for address, leaf in sorted(leaves.items(), key=lambda each: each[0] == self._own):
            if address.user == self._own.user and leaf not in proposed:
                message = group.propose_remove(leaf)
                self._states.write(group_id, group)
                self._submissions.propose(group_id, message)
                return

    def _commit(
        self,
        group_id: str,
        group: Group,
        proposals: Collection[Proposal],
        stored: StoredWish,
        now: int,
        changes: list[Change],
    ) -> None:
        """Nothing to be done counts as done."""
        try:
            if proposals:
                self._submit(group_id, group, proposals, stored.number, now)
                return
        except CryptoError:
            changes.append(NotSent(group_id, "not_possible_in_group"))
        self._wishes.done(stored.number)

    def _submit(self, group_id: str, group: Group, proposals: Collection[Proposal], wish: int | None, now: int) -> None:
        """Raises CryptoError."""
        credential = self._packages.credential(now // 1000)
        own = group.member(group.own_leaf)
        bundle = group.commit(
            list(proposals),
            now=now // 1000,
            tree_in_welcome=False,
            group_info=True,
            credential=None if own is not None and own.credential == credential else credential,
        )
        self._submissions.commit(group_id, bundle, wish)

    # --- what others have proposed ------------------------------------------------------------------------------

    def commit_pending(self, group_id: str, now: int, *, at_once: bool = False) -> bool:
        """Commits what was proposed, when it is this device's turn. Returns whether it has."""
        group = self._states.open(group_id)
        removed = _proposed_removals(group)
        if not group.pending_proposals or group.own_leaf in removed:
            self._pending_since.pop(group_id, None)
            return False
        epoch, since = self._pending_since.get(group_id, (-1, now))
        if epoch != group.epoch:
            since = now
            self._pending_since[group_id] = group.epoch, now
        if not at_once and now < since + self._turn(group, removed):
            return False
        try:
            self._submit(group_id, group, (), None, now)
        except CryptoError:  # none of it can be committed: nobody waits for it
            for pending in group.pending_proposals:
                group.drop_proposal(pending.reference)
            self._states.write(group_id, group)
            return False
        return True

    def next_at(self) -> int | None:
        """When it is the turn of this device in a group."""
        times = []
        for group_id, (epoch, since) in self._pending_since.items():
            stored = self._states.find(group_id)
            if stored is not None and stored.state is GroupState.ACTIVE and stored.epoch == epoch:
                group = self._states.open(group_id)
                times.append(since + self._turn(group, _proposed_removals(group)))
        return min(times, default=None)

    def _turn(self, group: Group, removed: Collection[int]) -> int:
        before = [leaf for leaf in leaves_of(group).values() if leaf < group.own_leaf and leaf not in removed]
        return _TURN_MS * min(len(before), _TURNS)

    def withdraw(self, group_id: str) -> None:
        """The server refuses what this device has proposed."""
        group = self._states.open(group_id)
        for pending in group.pending_proposals:
            if pending.sender.index == group.own_leaf:
                group.drop_proposal(pending.reference)
        self._states.write(group_id, group)


def _role_change(group: Group, account_id: str, role: Role) -> list[Proposal]:
    before = Roles.of(group.extensions)
    if account_id not in accounts_of(group) or before.of_account(account_id.encode()) is role:
        return []
    roles = Roles({**before.by_account, account_id.encode(): role}).extension()
    others = (each for each in group.extensions if each.extension_type != ExtensionType.ROLES)
    return [GroupContextExtensions((*others, roles))]


def _proposed_removals(group: Group) -> set[int]:
    return {each.proposal.removed for each in group.pending_proposals if isinstance(each.proposal, Remove)}
