"""What a body can say. All of it goes to every device of the conversation, also to the author's other ones.

Messages are named by their authors and ids: two authors could choose the same id.
"""

from dataclasses import dataclass, field

from crypto.attachments import AttachmentPointer


@dataclass(frozen=True, slots=True)
class Quote:
    """The message that a text answers, with the beginning of what it said to its author's knowledge."""

    account_id: str
    id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file. `id`: at the server, 32 hexadecimal digits. `name` and `media_type`: as its author says. `length`: of the
    content in bytes."""

    id: str = field(repr=False)
    pointer: AttachmentPointer
    name: str = field(repr=False)
    media_type: str
    length: int


@dataclass(frozen=True, slots=True)
class Poll:
    """What a message lets people choose from; `multiple`: more than one."""

    options: tuple[str, ...] = field(repr=False)
    multiple: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A message. `expires_in_s`: it disappears so long after it was read, and its author's so long after it was sent;
    None if it stays. `again`: the number in the conversation under which it was sent before; only devices that could
    not decrypt it then take it. `attachments`: all of them are at the server before it is sent. `poll`: what the text
    lets people choose from."""

    text: str = field(repr=False)
    quote: Quote | None = None
    expires_in_s: int | None = None
    again: int | None = None
    attachments: tuple[Attachment, ...] = ()
    poll: Poll | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Messages of others have been stored and decrypted, or read by the user."""

    ids: tuple[str, ...]
    read: bool


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an account makes of a message, in place of what it made of it before; None takes that back."""

    account_id: str
    id: str
    emoji: str | None


@dataclass(frozen=True, slots=True)
class Vote:
    """What an account chooses in a poll, in place of what it chose before: numbers of options from 0 on."""

    account_id: str
    id: str
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """Another text of one of the author's messages."""

    id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deletion:
    """One of the author's messages is deleted for everybody."""

    id: str


@dataclass(frozen=True, slots=True)
class Timer:
    """From now on messages of this conversation disappear after so many seconds; None: they stay."""

    expires_in_s: int | None


@dataclass(frozen=True, slots=True)
class Resend:
    """The author's device could not decrypt what a device has sent under a number of the conversation."""

    account_id: str
    device: int
    seq: int


@dataclass(frozen=True, slots=True)
class Rename:
    """A group is called so. An admin says it, again whenever somebody has come in, who could not read it before.
    `since`: under which number of the conversation it was said first, if it is said again: what was said after that
    stays."""

    name: str = field(repr=False)
    since: int | None = None


Content = Text | Receipt | Reaction | Edit | Deletion | Timer | Resend | Rename | Vote
