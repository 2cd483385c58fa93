"""Follows groups in the order of the server: messages, proposals, commits and Welcomes of others, and the own commits
between them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from client.messaging import evidence
from client.messaging.body import BadBody, Body
from client.messaging.changes import Change, GroupChanged
from client.messaging.contents import Rename
from client.messaging.directory import Directory
from client.messaging.groups.believed import ShownDevices, address_of, addresses_of
from client.messaging.groups.gone_devices import GoneDevices
from client.messaging.groups.incoming import GroupIncoming
from client.messaging.groups.joining import Joining
from client.messaging.groups.requests import GroupItem
from client.messaging.groups.states import GroupState, GroupStates, accounts_of, leaves_of
from client.messaging.groups.submissions import Kind, Submission, Submissions
from client.messaging.groups.wishes import Wishes
from client.messaging.timeline import Timeline
from client.storage import Database
from crypto.envelope import open_content
from crypto.errors import CryptoError
from crypto.mls import (
    CommitBundle,
    CommitEffect,
    Group,
    GroupPolicy,
    KeyUnavailable,
    Role,
    StagedCommit,
    presented_credentials,
)
from crypto.sessions import DeviceAddress

_BATCH = 50

Outcome = Literal["done", "wait", "lost"]


@dataclass(slots=True)
class Followed:
    """`unknown`: accounts to look up first. `renew_names`: groups in which this device says the name again. `progress`:
    something was processed."""

    changes: list[Change] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    renew_names: list[str] = field(default_factory=list)
    progress: bool = False


class Following:
    """Callers hold the transaction."""

    def __init__(
        self,
        database: Database,
        own: DeviceAddress,
        directory: Directory,
        shown: ShownDevices,
        policy: GroupPolicy,
        states: GroupStates,
        incoming: GroupIncoming,
        submissions: Submissions,
        wishes: Wishes,
        joining: Joining,
        gone_devices: GoneDevices,
        timeline: Timeline,
        is_unverified: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._own = own
        self._directory = directory
        self._shown = shown
        self._policy = policy
        self._states = states
        self._incoming = incoming
        self._submissions = submissions
        self._wishes = wishes
        self._joining = joining
        self._gone_devices = gone_devices
        self._timeline = timeline
        self._is_unverified = is_unverified

    def step(self, group_id: str, now: int, *, inbox_read: bool) -> Followed:
        """Processes a batch of what waits for a group. `inbox_read`: nothing that came before is missing."""
        followed = Followed()
        stored = self._states.find(group_id)
        if stored is not None and stored.state in (GroupState.JOINING, GroupState.LEFT):
            self._incoming.drop_before_welcome(group_id)
        for item in self._incoming.first(group_id, _BATCH):
            submission = self._submissions.find(group_id)
            if submission is not None and submission.seq is not None and item.seq > submission.seq:
                self._take_effect(submission, followed)
            outcome = self._take(item, now, followed)
            if outcome == "lost":
                self._lose(group_id)
            if outcome != "done":
                return followed
            self._incoming.drop(item)
            followed.progress = True
        submission = self._submissions.find(group_id)
        if submission is not None and submission.seq is not None and inbox_read and not followed.progress:
            self._take_effect(submission, followed)
            followed.progress = True
        return followed

    def _take(self, item: GroupItem, now: int, followed: Followed) -> Outcome:
        stored = self._states.find(item.group_id)
        assert stored is not None  # stored with the item
        if item.content == "welcome":
            if self._states.members(item.group_id):  # anybody can make one for a group of the same id
                self._states.told(item.group_id, item.epoch)
                return "done"
            submission = self._submissions.find(item.group_id)
            if submission is not None and submission.kind is Kind.JOIN:  # it may have been accepted
                return "wait"
            return self._joining.enter(item, now, followed.changes, followed.unknown)
        if stored.state is GroupState.LEFT:
            return "done"
        if stored.state is not GroupState.ACTIVE:
            return "wait"
        if item.epoch < stored.epoch:  # from before this device has joined anew
            if item.content == "application" and not self._timeline.ends_with(item.group_id, "missed"):
                self._problem(item, now, "missed", followed)
            return "done"
        if item.epoch > stored.epoch:
            submission = self._submissions.find(item.group_id)
            waits = submission is not None and submission.kind is Kind.COMMIT  # it may have begun that epoch
            return "wait" if waits else "lost"
        if item.message is None:
            return "wait"
        group = self._states.open(item.group_id)
        if item.content == "application":
            self._deliver(group, item, item.message, now, followed)
            return "done"
        return self._change(group, item, item.message, now, followed)

    # --- messages -----------------------------------------------------------------------------------------------

    def _deliver(self, group: Group, item: GroupItem, message: bytes, now: int, followed: Followed) -> None:
        try:
            received = group.decrypt(message)
        except KeyUnavailable:  # it was decrypted before: the server repeats itself
            return
        except CryptoError:
            self._problem(item, now, "not_decrypted_group", followed)
            return
        self._states.write(item.group_id, group)
        if received.epoch != group.epoch:  # of keys that were kept by an earlier version: its sender may be gone
            self._problem(item, now, "not_decrypted_group", followed)
            return
        member = group.member(received.sender)
        assert member is not None  # it signed the message
        sender = address_of(member.credential)
        try:
            opened = open_content(received.data, received.authenticated_data)
            body = Body.decode(opened.content.body)
            problem = None if body.to == item.group_id else "misdirected"
            if self._shown.find(*sender) is None:  # this device had to take a joiner's word for it
                problem = "unknown_device"
        except CryptoError:
            problem = "malformed"
        except BadBody as error:
            problem = error.code
        if problem is not None:
            changes = self._timeline.problem(item.group_id, sender, item.seq, item.sent_at, now, problem)
        elif isinstance(body.content, Rename) and not self._may_rename(item.group_id, sender):
            changes = []
        else:
            changes = self._timeline.apply(item.group_id, sender, body, item.seq, item.sent_at, now)
            if sender == item.sender and sender.user != self._own.user:  # whom the server vouches for
                evidence.keep(*(self._database, body.content, changes, item.seq, opened.franked, item.delivery_tag))
        followed.changes += changes

    def _may_rename(self, group_id: str, sender: DeviceAddress) -> bool:
        """Members cannot, but tell the name to their own further devices."""
        role = self._states.role(group_id, sender.user)
        return sender.user == self._own.user or (role is not None and role >= Role.ADMIN)

    def _problem(self, item: GroupItem, now: int, code: str, followed: Followed) -> None:
        if item.sender is not None:
            found = self._timeline.problem(item.group_id, item.sender, item.seq, item.sent_at, now, code)
            followed.changes += found

    # --- proposals and commits ----------------------------------------------------------------------------------

    def _change(self, group: Group, item: GroupItem, message: bytes, now: int, followed: Followed) -> Outcome:
        try:
            unknown = self._shown.unknown(addresses_of(presented_credentials(message)))
            to_look_up = {each for each in unknown if self._may_show(each, item.sent_at, now)}
            if to_look_up:
                followed.unknown |= to_look_up
                return "wait"
            received = group.process(message, now=now // 1000)
        except CryptoError:
            # A proposal that does not hold is one that nobody commits.
            return "done" if item.content == "proposal" else "lost"
        if isinstance(received, StagedCommit):
            group.apply(received)
            self._submissions.forget(item.group_id)  # another commit has ended the epoch
            self._entered(group, received.effect, item.group_id, self_removed=received.self_removed, followed=followed)
        else:
            self._states.write(item.group_id, group)
        return "done"

    def _may_show(self, account_id: str, sent_at: int, now: int) -> bool:
        return not self._is_unverified(account_id) and self._directory.may_show(account_id, sent_at, now)

    def _take_effect(self, submission: Submission, followed: Followed) -> None:
        """An own commit was accepted, and all that came before it is processed."""
        group_id = submission.group_id
        group = self._states.open(group_id)
        self._submissions.forget(group_id)
        if submission.wish is not None:
            self._wishes.done(submission.wish)
        assert submission.state is not None  # of a commit
        applied = group.apply(CommitBundle.restore(submission.state, self._policy))
        self._states.write(group_id, group)
        joined, gone = self._states.write_members(group_id, group)
        followed.changes.append(GroupChanged(group_id, self._own.user, tuple(sorted(joined)), tuple(sorted(gone))))
        if applied.added:
            followed.renew_names.append(group_id)

    def _entered(
        self, group: Group, effect: CommitEffect, group_id: str, *, self_removed: bool, followed: Followed
    ) -> None:
        """The group is in the next epoch, by somebody else's commit."""
        by = address_of(effect.committer.credential).user
        if self_removed:
            self._states.leave(group_id)
            followed.changes.append(GroupChanged(group_id, by, gone=(self._own.user,)))
            return
        self._states.write(group_id, group)
        joined, gone = self._states.write_members(group_id, group)
        if joined or gone or not (effect.updated or effect.added):
            followed.changes.append(GroupChanged(group_id, by, tuple(sorted(joined)), tuple(sorted(gone))))
        if effect.external and by == self._own.user:  # it may be one that the account had before
            self._gone_devices.remove_from(group_id)
        if effect.external and self._tells_name_to(group, group_id, address_of(effect.committer.credential)):
            followed.renew_names.append(group_id)

    def _tells_name_to(self, group: Group, group_id: str, joined: DeviceAddress) -> bool:
        """Whether it is this device that tells one that has joined by itself what the group is called: the first other
        one of its account, or else the first one of an admin."""
        leaves = {address: leaf for address, leaf in leaves_of(group).items() if address != joined}
        candidates = [address for address in leaves if address.user == joined.user]
        if not candidates:
            admins = {user for user in accounts_of(group) if (self._states.role(group_id, user) or 0) >= Role.ADMIN}
            candidates = [address for address in leaves if address.user in admins]
        return self._own == min(candidates, key=leaves.__getitem__, default=None)

    def _lose(self, group_id: str) -> None:
        """This device cannot follow the group any more: it joins anew."""
        self._submissions.forget(group_id)
        self._states.add(group_id, GroupState.JOINING)
