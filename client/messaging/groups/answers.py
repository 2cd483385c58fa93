"""What responses of the server do to groups."""

from client.messaging.changes import Change, GroupChanged, NotSent
from client.messaging.groups.committing import Committing
from client.messaging.groups.incoming import GroupIncoming
from client.messaging.groups.joining import Joining
from client.messaging.groups.own_packages import OwnPackages
from client.messaging.groups.requests import (
    ChangeGroup,
    ClaimKeyPackages,
    CountKeyPackages,
    EpochEnded,
    FetchGroup,
    FetchGroupMessage,
    FetchTree,
    FoundGroup,
    GroupFound,
    GroupMessageFound,
    GroupRequest,
    GroupsListed,
    KeyPackagesClaimed,
    KeyPackagesLeft,
    ListGroups,
    SendToGroup,
    TreeFound,
    UploadKeyPackages,
)
from client.messaging.groups.states import GroupState, GroupStates
from client.messaging.groups.submissions import Kind, Submission, Submissions
from client.messaging.groups.wishes import Wishes
from client.messaging.outgoing import Outgoing
from client.messaging.requests import Accepted, Done, Refused, Response
from crypto.sessions import DeviceAddress

NO_SUCH_GROUP = "no_such_group"
NOT_IN_GROUP = "device_not_in_group"


class Answers:
    """Callers hold the transaction. `listed`: groups that the server lists and that are not known here; None: it was
    not asked."""

    def __init__(
        self,
        own: DeviceAddress,
        states: GroupStates,
        submissions: Submissions,
        wishes: Wishes,
        packages: OwnPackages,
        incoming: GroupIncoming,
        joining: Joining,
        committing: Committing,
        outgoing: Outgoing,
    ) -> None:
        self._own = own
        self._states = states
        self._submissions = submissions
        self._wishes = wishes
        self._packages = packages
        self._incoming = incoming
        self._joining = joining
        self._committing = committing
        self._outgoing = outgoing
        self.listed: set[str] | None = None

    def take(self, request: GroupRequest, response: Response, now: int, changes: list[Change]) -> bool:
        """Takes in a response. Returns whether the request is to be tried again only after a while. Raises TypeError
        for a response that does not belong to it."""
        match request, response:
            case FoundGroup(group_id), Done():
                self._submissions.forget(group_id)
                self._states.add(group_id, GroupState.ACTIVE)
            case ChangeGroup(), Accepted(seq):
                self._accepted(request, seq, changes)
            case ChangeGroup(group_id), EpochEnded(present):
                if self._submission_of(request) is not None:
                    self._submissions.forget(group_id)
                return self._told(group_id, present)
            case SendToGroup(number, group_id), EpochEnded(present):
                self._outgoing.encrypt_anew(number)
                return self._told(group_id, present)
            case FetchGroup(), GroupFound():
                self._joining.found(request, response, now)
            case FetchTree(), TreeFound(tree):
                self._joining.tree_found(request, tree, now)
            case FetchTree(), Refused():
                self._joining.tree_found(request, None, now)
            case FetchGroupMessage(group_id, seq), GroupMessageFound(message):
                self._incoming.found(group_id, seq, message)
            case FetchGroupMessage(group_id, seq), Refused():
                self._incoming.not_found(group_id, seq)
            case ListGroups(), GroupsListed(group_ids):
                self.listed = {each for each in group_ids if self._states.find(each) is None}
            case ClaimKeyPackages(), KeyPackagesClaimed():
                self._committing.claimed(request, response, now, changes)
            case ((UploadKeyPackages() | CountKeyPackages()), KeyPackagesLeft()):
                self._packages.left(response, now // 1000)
            case ((FoundGroup() | ChangeGroup() | SendToGroup() | FetchGroup()), Refused(code)):
                return self._refused(request, code, changes)
            case _, Refused():
                return True
            case _:
                raise TypeError(f"{type(response).__name__} is no response to {type(request).__name__}")
        return False

    def _told(self, group_id: str, present: int) -> bool:
        """The server says in which epoch a group is. Returns whether this device is there already: what it makes anew
        could be refused again at once."""
        stored = self._states.find(group_id)
        self._states.told(group_id, present)
        return stored is not None and present <= stored.epoch

    def _accepted(self, request: ChangeGroup, seq: int, changes: list[Change]) -> None:
        submission = self._submission_of(request)
        if submission is None:
            return
        match submission.kind:
            case Kind.COMMIT:
                self._submissions.accepted(request.group_id, seq)
            case Kind.JOIN:
                assert submission.state is not None
                changes.append(self._joining.joined(request.group_id, submission.state))
            case _:
                self._submissions.forget(request.group_id)

    def _refused(
        self, request: FoundGroup | ChangeGroup | SendToGroup | FetchGroup, code: str, changes: list[Change]
    ) -> bool:
        group_id = request.group_id
        if code == NO_SUCH_GROUP or isinstance(request, FoundGroup):
            self._states.leave(group_id)
            changes.append(GroupChanged(group_id, None, gone=(self._own.user,)))
            if isinstance(request, FoundGroup):
                changes.append(NotSent(group_id, code))
            return False
        if code == NOT_IN_GROUP:
            if isinstance(request, SendToGroup):
                self._outgoing.encrypt_anew(request.number)
            self._submissions.forget(group_id)
            self._states.add(group_id, GroupState.JOINING)
            return False
        submission = self._submission_of(request) if isinstance(request, ChangeGroup) else None
        if submission is None:
            return True
        self._submissions.forget(group_id)
        if submission.kind is Kind.PROPOSAL:
            self._committing.withdraw(group_id)
        if submission.wish is not None:
            self._wishes.done(submission.wish)
            changes.append(NotSent(group_id, code))
        return submission.wish is None

    def _submission_of(self, request: ChangeGroup) -> Submission | None:
        """What a request was for, unless that is settled."""
        submission = self._submissions.find(request.group_id)
        return submission if submission is not None and submission.client_id == request.client_id else None
