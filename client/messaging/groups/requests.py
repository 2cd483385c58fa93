"""What a device asks the server for about groups, and the responses, as client/messaging/requests.py has them.

Groups are their ids' 32 hexadecimal digits. Every request may be performed twice.
"""

from dataclasses import dataclass, field

from crypto.sessions import DeviceAddress


@dataclass(frozen=True, slots=True)
class GroupItem:
    """What waits for this device in a group: `content` is `application`, `proposal`, `commit` or `welcome`, `epoch` the
    one in which it was sent or, of a Welcome, into which it leads. `previous`: the `seq` of the newest earlier one; 0
    if the server does not know. `sender`: None if the account is gone. `message`: an MLSMessage; None if it is so large
    that it is read by itself. `delivery_tag`: with which it can be reported."""

    group_id: str
    content: str
    epoch: int
    seq: int
    previous: int
    sender: DeviceAddress | None
    sent_at: int
    message: bytes | None = field(repr=False)
    delivery_tag: bytes | None = None


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A group of this device alone. `group_info`: with the tree. The response is Done."""

    group_id: str
    group_info: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """A proposal or commit. The server accepts a `client_id` once; the response is Accepted, also for a repetition, or
    EpochEnded."""

    group_id: str
    client_id: str
    message: bytes = field(repr=False)
    welcome: bytes | None = field(repr=False)
    group_info: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendToGroup:
    """An encrypted body, the same for all devices. The response is Accepted, also for a repetition, or EpochEnded.
    `number`: of what waits here."""

    number: int
    group_id: str
    client_id: str
    message: bytes = field(repr=False)
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """Nothing was stored, since the group is in the epoch `present`: what was missed is in the inbox."""

    present: int


@dataclass(frozen=True, slots=True)
class FetchGroup:
    """What this device needs to join by itself. The response is GroupFound."""

    group_id: str


@dataclass(frozen=True, slots=True)
class GroupFound:
    """GroupInfo and tree of the present epoch."""

    group_info: bytes
    tree: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FetchTree:
    """The tree of the epoch into which a Welcome leads. The response is TreeFound."""

    group_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class TreeFound:
    tree: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FetchGroupMessage:
    """A message that the inbox has without its content. The response is GroupMessageFound."""

    group_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class GroupMessageFound:
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListGroups:
    """The groups that the account is in. The response is GroupsListed."""


@dataclass(frozen=True, slots=True)
class GroupsListed:
    group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimKeyPackages:
    """A KeyPackage of each device of these accounts, 250 at most, for a change of a group. The response is
    KeyPackagesClaimed."""

    group_id: str
    account_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyPackagesClaimed:
    """MLSMessages. Devices that have none are left out, as are accounts that are not found."""

    packages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class UploadKeyPackages:
    """KeyPackages of this device, as MLSMessages. The response is KeyPackagesLeft."""

    packages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CountKeyPackages:
    """How many KeyPackages of this device the server has. The response is KeyPackagesLeft."""


@dataclass(frozen=True, slots=True)
class KeyPackagesLeft:
    one_time: int
    last_resort: bool


GroupRequest = (
    FoundGroup
    | ChangeGroup
    | SendToGroup
    | FetchGroup
    | FetchTree
    | FetchGroupMessage
    | ListGroups
    | ClaimKeyPackages
    | UploadKeyPackages
    | CountKeyPackages
)
GroupResponse = (
    EpochEnded | GroupFound | TreeFound | GroupMessageFound | GroupsListed | KeyPackagesClaimed | KeyPackagesLeft
)
