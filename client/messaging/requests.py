"""What a device asks the server for, and the responses. `Messenger` makes the requests; whoever performs them tells it
the response, or that there was none.

Every request may be performed twice: the server answers a repetition as it did the first time, or the second answer
does no harm. Accounts and conversations are their ids' 32 hexadecimal digits. Times are milliseconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from client.messaging.groups.requests import GroupItem, GroupRequest, GroupResponse
from crypto.sessions import DeviceAddress


@dataclass(frozen=True, slots=True)
class LookUpKeys:
    """The newest keys of an account, with proofs. `known_size`: of the client's tree head. `seen`: the number of the
    newest version that it has; 0 for none. The response is KeysFound."""

    account_id: str
    known_size: int
    seen: int


@dataclass(frozen=True, slots=True)
class KeysFound:
    """`answer`: a `crypto.directory.LookupAnswer`, encoded. `pending`: the directory will show newer keys soon."""

    answer: bytes
    pending: bool = False


@dataclass(frozen=True, slots=True)
class FetchEpochs:
    """The own account's entry in consecutive epochs of the key directory, from number `first` on, for a client whose
    head has `size` epochs. The response is EpochsFound."""

    first: int
    size: int


@dataclass(frozen=True, slots=True)
class EpochsFound:
    """`answers`: some of them, at least one; `crypto.directory.EpochAnswer`, encoded."""

    answers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TakePreKeys:
    """A prekey bundle for each of these devices of an account. The response is PreKeysTaken."""

    account_id: str
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PreKeysTaken:
    """`bundles`: by device, `crypto.handshake.PreKeyBundle`, encoded. A device that is gone has none."""

    bundles: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Payload:
    """`envelope`: a `crypto.envelope.Envelope`, encoded, for one device."""

    address: DeviceAddress
    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """A body of this device. The server accepts a `client_id` once; the response is Accepted, also for a repetition,
    DevicesChanged or Refused. `number`: of what waits here. `expires_in_s`: how long it waits for devices; None: as
    long as the server allows."""

    number: int
    conversation_id: str
    client_id: str
    payloads: tuple[Payload, ...]
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is stored for all its devices. `seq`: its number in the conversation."""

    seq: int
    sent_at: int


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """Nothing was stored, since the payloads are not for exactly the devices of both accounts."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was stored, and a repetition would probably be refused too. `code` names why. Any request may be answered
    so."""

    code: str


@dataclass(frozen=True, slots=True)
class FetchInbox:
    """The first messages for this device that it has not acknowledged, those of a conversation in their order. There is
    no next page: a message that is stored meanwhile may be older than what one had, and would be acknowledged unseen.
    The response is InboxPage."""


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A message for this device. `peer`: the conversation's account that is not the own one. `previous`: the `seq` of
    the newest earlier message for this device; 0 if the server does not know. `delivery_tag`: with which it can be
    reported."""

    conversation_id: str
    peer: str
    seq: int
    previous: int
    sender: DeviceAddress
    sent_at: int
    envelope: bytes = field(repr=False)
    delivery_tag: bytes | None = None


@dataclass(frozen=True, slots=True)
class InboxPage:
    """`more`: there are more of them, to be fetched once these are acknowledged."""

    items: tuple[InboxItem | GroupItem, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to these numbers is stored on this device: by conversation. The response is Done."""

    received: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class UploadPreKeys:
    """`published`: a `crypto.handshake.PublishedPreKeys`, encoded. The server ignores one-time keys whose numbers are
    not above all that it has seen, since it may have given them away. The response is PreKeysLeft, or Refused where
    there are more than the server keeps."""

    published: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CountPreKeys:
    """How many one-time prekeys of this device the server has. The response is PreKeysLeft."""


@dataclass(frozen=True, slots=True)
class PreKeysLeft:
    """One-time prekeys that the server has, of each kind."""

    one_time: int
    kem: int


@dataclass(frozen=True, slots=True)
class Done:
    """The request was carried out."""


Request = (
    LookUpKeys
    | FetchEpochs
    | TakePreKeys
    | Send
    | FetchInbox
    | Acknowledge
    | UploadPreKeys
    | CountPreKeys
    | GroupRequest
)
Response = (
    KeysFound
    | EpochsFound
    | PreKeysTaken
    | Accepted
    | DevicesChanged
    | Refused
    | InboxPage
    | Done
    | PreKeysLeft
    | GroupResponse
)
