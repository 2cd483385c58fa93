"""The groups of one device as a machine without network and clock, a part of `client.messaging.Messenger`.

Each step is one transaction: what a commit or message does to the group's state is stored with what was read of it,
and what is sent was stored before. A crash between any two steps loses and doubles nothing.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from client.messaging.changes import Change
from client.messaging.contents import Rename
from client.messaging.device import Device
from client.messaging.directory import Directory
from client.messaging.groups.answers import Answers
from client.messaging.groups.believed import ShownDevices, group_policy
from client.messaging.groups.committing import Committing
from client.messaging.groups.following import Following
from client.messaging.groups.gone_devices import GoneDevices
from client.messaging.groups.incoming import GroupIncoming
from client.messaging.groups.joining import Joining
from client.messaging.groups.own_packages import OwnPackages
from client.messaging.groups.requests import (
    ChangeGroup,
    ClaimKeyPackages,
    FetchGroup,
    FetchGroupMessage,
    FoundGroup,
    GroupItem,
    GroupRequest,
    ListGroups,
    SendToGroup,
    UploadKeyPackages,
)
from client.messaging.groups.sending import GroupSending
from client.messaging.groups.states import GroupState, GroupStates, StoredGroup
from client.messaging.groups.submissions import Submissions
from client.messaging.groups.wishes import AddPeople, Wish, Wishes
from client.messaging.look_ups import LookUps
from client.messaging.outgoing import Outgoing, Pending
from client.messaging.requests import LookUpKeys, Request, Response
from client.messaging.timeline import Timeline
from client.storage import Database
from crypto.mls import DEFAULT_SUITE, Group, IdentityAuthentication, Role, Roles
from crypto.randomness import Randomness


class Groups:
    """Opens transactions by itself, but for `store`."""

    def __init__(
        self,
        database: Database,
        device: Device,
        directory: Directory,
        look_ups: LookUps,
        outgoing: Outgoing,
        timeline: Timeline,
        randomness: Randomness,
        changes: list[Change],
        packages: int,
    ) -> None:
        """`changes`: where is added what the user should see. `packages`: how many KeyPackages the server should
        have."""
        self._database = database
        self._own = own = device.address
        self._directory = directory
        self._look_ups = look_ups
        self._outgoing = outgoing
        self._randomness = randomness
        shown = ShownDevices(database, directory, device)
        policy = self._policy = group_policy(IdentityAuthentication(shown))
        self._states = GroupStates(database, own, policy, randomness)
        self._wishes = Wishes(database)
        self._submissions = Submissions(database, randomness)
        self._packages = OwnPackages(database, device, randomness, packages)
        self._incoming = GroupIncoming(database, self._states)
        unverified = look_ups.unverified.__contains__
        self._gone_devices = GoneDevices(database, own, directory, self._states, self._wishes)
        self._joining = Joining(
            *(database, own, directory, shown, policy, self._states, self._submissions),
            *(self._packages, self._gone_devices, randomness, unverified),
        )
        self._following = Following(
            *(database, own, directory, shown, policy, self._states, self._incoming, self._submissions),
            *(self._wishes, self._joining, self._gone_devices, timeline, unverified),
        )
        self._committing = Committing(
            own, directory, policy, self._states, self._submissions, self._wishes, self._packages, unverified
        )
        self._sending = GroupSending(
            self._states, self._submissions, self._wishes, self._committing, outgoing, randomness
        )
        self._answers = Answers(
            *(own, self._states, self._submissions, self._wishes, self._packages, self._incoming, self._joining),
            *(self._committing, outgoing),
        )
        self._changes = changes

    # --- what the user does -------------------------------------------------------------------------------------

    def create(self, name: str, account_ids: tuple[str, ...], now: int) -> str:
        """Founds a group, when that is possible, and adds people. Returns its id. Raises ValueError for a bad name."""
        group_id = uuid.UUID(bytes=self._randomness.random_bytes(16), version=4).hex
        now_s = now // 1000
        with self._transaction():
            group = Group.create(
                DEFAULT_SUITE,
                bytes.fromhex(group_id),
                self._packages.credential(now_s),
                self._packages.signer(),
                self._packages.lifetime(now_s),
                self._randomness,
                extensions=(Roles({self._own.user.encode(): Role.OWNER}).extension(),),
                policy=self._policy,
            )
            self._states.replace(group_id, group, GroupState.FOUNDING)
            self._database.execute("update conversations set accepted = 1, username = ? where id = ?", name, group_id)
            self._submissions.found(group)
            self._wish(group_id, AddPeople(account_ids))
            self._outgoing.add(group_id, Rename(name))
        return group_id

    def wish(self, group_id: str, wish: Wish) -> None:
        """The user wants something of a group: it is done when that is possible."""
        with self._transaction():
            self._wish(group_id, wish)

    def _wish(self, group_id: str, wish: Wish) -> None:
        if isinstance(wish, AddPeople):
            self._look_ups.unverified.difference_update(wish.account_ids)  # they are asked about again
        self._wishes.add(group_id, wish)

    # --- what the connection says -------------------------------------------------------------------------------

    def connected(self) -> None:
        """Signals may have been missed."""
        self._packages.low()
        self._answers.listed = None

    def packages_low(self) -> None:
        """The server has few KeyPackages of this device left."""
        self._packages.low()

    def store(self, items: list[GroupItem], *, pushed: bool = False) -> bool:
        """Stores what has come. Returns whether something before a pushed item is missing."""
        return self._incoming.store(items, pushed=pushed)

    # --- requests -----------------------------------------------------------------------------------------------

    def requests(self, now: int, *, inbox_read: bool) -> Iterator[Request]:
        """Does what can be done here, and returns what is to be asked now. `inbox_read`: nothing is missing that came
        before. Accounts to look up are among the requests."""
        unknown = self._follow(now, inbox_read=inbox_read)
        with self._transaction():
            self._gone_devices.remove()
        if inbox_read and self._answers.listed:
            self._join_listed()
        yield from self._joining.trees()
        yield from (FetchGroupMessage(*each) for each in self._incoming.without_message())
        for stored in self._states.busy():
            yield from self._of_group(stored, now, unknown, inbox_read=inbox_read)
        yield from self._look_ups.unknown(unknown, now)

    def upkeep(self, *, inbox_read: bool) -> Iterator[GroupRequest]:
        """What is to be asked when there is nothing more important."""
        yield from self._packages.requests()
        if inbox_read and self._answers.listed is None:  # what has come by a Welcome is known
            yield ListGroups()

    def _follow(self, now: int, *, inbox_read: bool) -> set[str]:
        unknown: set[str] = set()
        accepted = [each for (each,) in self._database.rows("select group_id from group_submissions where seq > 0")]
        for group_id in sorted({*self._incoming.waiting(), *accepted}):
            progress = True
            while progress:
                with self._transaction():
                    followed = self._following.step(group_id, now, inbox_read=inbox_read)
                    for each in followed.renew_names:
                        self._say_name(each)
                self._changes += followed.changes
                unknown |= followed.unknown
                progress = followed.progress
        return unknown

    def _join_listed(self) -> None:
        """The inbox was read after the groups were listed: into those that are still unknown there is no Welcome."""
        with self._transaction():
            for group_id in self._answers.listed or ():
                if self._states.find(group_id) is None:
                    self._states.add(group_id, GroupState.JOINING)
        self._answers.listed = set()

    def _of_group(self, stored: StoredGroup, now: int, unknown: set[str], *, inbox_read: bool) -> Iterator[Request]:
        submission = self._submissions.find(stored.id)
        if submission is None and stored.state is GroupState.JOINING and not self._incoming.has_welcome(stored.id):
            with self._transaction():
                self._joining.join(stored.id, now, unknown)
            submission = self._submissions.find(stored.id)
            if submission is None and self._joining.fetches(stored.id, now):
                yield FetchGroup(stored.id)
        if submission is None and stored.state is GroupState.ACTIVE:
            if stored.told_epoch > stored.epoch:
                self._missing(stored, inbox_read=inbox_read)
                return
            yield from self._fulfil(stored.id, now)
            submission = self._submissions.find(stored.id)
        if submission is not None and submission.seq is None:
            yield submission.request()

    def _fulfil(self, group_id: str, now: int) -> list[LookUpKeys | ClaimKeyPackages]:
        """Makes the next commit or proposal. Returns what has to be asked before."""
        changes: list[Change] = []
        with self._transaction():
            asked: list[LookUpKeys | ClaimKeyPackages] = []
            number = -1
            while not asked and (wish := self._wishes.first(group_id)) is not None and wish.number != number:
                number = wish.number  # one that is fulfilled already is followed by the next one
                asked = list(self._committing.fulfil(group_id, now, changes))
                if self._submissions.find(group_id) is not None:
                    break
            if not asked and self._submissions.find(group_id) is None and self._is_active(group_id):
                self._committing.commit_pending(group_id, now)
        self._changes += changes
        return asked

    def _missing(self, stored: StoredGroup, *, inbox_read: bool) -> None:
        """The group is in a later epoch than this device. If the inbox has nothing of it, it joins anew."""
        if inbox_read and stored.id not in self._incoming.waiting():
            with self._transaction():
                self._states.add(stored.id, GroupState.JOINING)

    def send(self, pending: Pending, now: int) -> list[FoundGroup | ChangeGroup | SendToGroup]:
        """What is to be asked to send a body, once all is done that the user has wanted before."""
        with self._transaction():
            return self._sending.requests(pending, now)

    def may_rename(self, group_id: str) -> bool:
        """Whether others believe this account what a group is called."""
        role = self._states.role(group_id, self._own.user)
        return role is not None and role >= Role.ADMIN

    def is_left(self, conversation_id: str) -> bool:
        """Whether a conversation is a group that the account is not in: nothing can be sent there. One that another
        device has told of is one as long as the server was not asked."""
        stored = self._states.find(conversation_id)
        return self._answers.listed == set() if stored is None else stored.state is GroupState.LEFT

    @property
    def lists_unknown_groups(self) -> bool:
        """Whether the server lists groups that are not known here: unless the inbox has a Welcome, this device joins
        them by itself."""
        return bool(self._answers.listed)

    def failed(self, request: GroupRequest) -> None:
        """There was no response."""
        if isinstance(request, UploadKeyPackages):
            self._packages.failed()

    def next_at(self, now: int) -> int | None:
        """When something that waits may be tried again."""
        times = (self._joining.next_at(now), self._committing.next_at())
        return min((each for each in times if each is not None), default=None)

    # --- responses ----------------------------------------------------------------------------------------------

    def handle(self, request: GroupRequest, response: Response, now: int) -> bool:
        """Takes in the response to a request. Returns whether it is to be tried again only after a while. Raises
        TypeError for one that does not belong to it."""
        changes: list[Change] = []
        with self._transaction():
            failed = self._answers.take(request, response, now, changes)
        self._changes += changes
        return failed

    def _say_name(self, group_id: str) -> None:
        """Those who have come in could not read it when it was said."""
        ((name, since),) = self._database.rows(
            "select username, name_seq from conversations join groups using (id) where id = ?", group_id
        )
        said = any(isinstance(each.content, Rename) for each in self._outgoing.bodies(group_id))
        if name is not None and not said:
            self._outgoing.add(group_id, Rename(name, since))

    def _is_active(self, group_id: str) -> bool:
        stored = self._states.find(group_id)
        return stored is not None and stored.state is GroupState.ACTIVE

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._states.forget()
            raise
