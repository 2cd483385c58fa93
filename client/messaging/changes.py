"""What the messenger tells the user interface."""

from dataclasses import dataclass, field

from crypto.sessions import DeviceAddress


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """A message is new, is another one than before, has disappeared, or the server has accepted or refused it."""

    number: int


@dataclass(frozen=True, slots=True)
class TimerChanged:
    """Somebody has set after how many seconds messages of a conversation disappear; None: they stay."""

    conversation_id: str
    account_id: str
    expires_in_s: int | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The server has refused a change of a message or of a group, a reaction or a timer: nobody has got it."""

    conversation_id: str
    code: str


@dataclass(frozen=True, slots=True)
class DevicesLearned:
    """The devices of an account are other ones than before: tell the user, whose safety number with it is another."""

    account_id: str
    added: tuple[DeviceAddress, ...]
    removed: tuple[DeviceAddress, ...]


@dataclass(frozen=True, slots=True)
class DirectoryDistrusted:
    """The key directory's answer about an account does not hold. Nothing is sent to it: warn the user."""

    account_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerTyping:
    """Somebody else in a conversation is typing: said again every few seconds as long as that is so."""

    conversation_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class DevicesUnreachable:
    """Devices of an account have no prekeys at the server, so that nobody can write to them: what is sent meanwhile
    does not reach them. If the account has no other device, messages wait."""

    account_id: str
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """Accounts have come into a group or are gone, roles or the name are others, or this account is out of it. `by`:
    the account that did it; None if this device has come into the group and cannot know."""

    conversation_id: str
    by: str | None
    joined: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAdded:
    """Somebody could not be added to a group: there is no such account for the user, it has no device that is set up,
    or its keys cannot be verified."""

    conversation_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class FileProgress:
    """So many bytes of an encrypted file of `size` bytes are at the server (`sending`), or here."""

    name: str = field(repr=False)
    done: int
    size: int
    sending: bool


@dataclass(frozen=True, slots=True)
class FileNotSent:
    """The server will never take a file, or it cannot be read any more: its message is not sent."""

    name: str = field(repr=False)
    code: str


@dataclass(frozen=True, slots=True)
class JoinRequested:
    """Somebody asks to join a group of which the user is an owner or admin."""

    conversation_id: str
    username: str


Change = (
    MessageChanged
    | FileProgress
    | FileNotSent
    | TimerChanged
    | NotSent
    | DevicesLearned
    | DirectoryDistrusted
    | DevicesUnreachable
    | PeerTyping
    | GroupChanged
    | NotAdded
    | JoinRequested
)
