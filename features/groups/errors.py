"""The errors of groups."""

from collections.abc import Mapping
from typing import Any

from features.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound, RateLimited, TooLarge, Unavailable


class NoSuchGroup(NotFound):
    """The group does not exist, or the caller is not in it; always the same error, so that it reveals nothing."""

    code = "no_such_group"
    detail = "There is no such group."


class NoSuchGroupMessage(NotFound):
    """No such message waits for the caller's device."""

    code = "no_such_group_message"
    detail = "There is no such message for this device."


class GroupExists(Conflict):
    """There is a group with this id: ids are chosen at random."""

    code = "group_exists"
    detail = "There is a group with this id."


class DeviceNotInGroup(Conflict):
    """The caller's account is in the group, but not its device: it can join by an external commit."""

    code = "device_not_in_group"
    detail = "This device is not in the group."


class _Current(Conflict):
    def __init__(self, current: Mapping[str, Any]) -> None:
        super().__init__()
        self.current = current


class EpochOutdated(_Current):
    """The message is not of the group's present epoch; nothing was stored. `current` has the epoch and the first of the
    commits that the sender has missed."""

    code = "epoch_outdated"
    detail = "The group is in another epoch."


class GroupMessageIdReused(_Current):
    """The client id is that of another message of the device. `current` is how that one was answered."""

    code = "group_message_id_reused"
    detail = "This client id is that of another message."
    field = "client_id"


class BadGroupInfo(Invalid):
    """The GroupInfo is not that of a new group of the caller's device, or not that of the epoch which the commit
    begins."""

    code = "bad_group_info"
    detail = "This is not the GroupInfo of the group."
    field = "group_info"


class BadHandshake(Invalid):
    """No member would accept this proposal or commit: a signature, a hash of the tree, a key or a rule of RFC 9420 is
    violated, or it adds a device that is not there for the caller."""

    code = "bad_handshake"
    detail = "No member would accept this."
    field = "message"


class BadWelcome(Invalid):
    """The Welcome is not for exactly those whom the commit adds."""

    code = "bad_welcome"
    detail = "The Welcome is not for exactly those whom the commit adds."
    field = "welcome"


class BadGroupMessage(Invalid):
    """The message is no encrypted message to this group (a PrivateMessage with application data)."""

    code = "bad_group_message"
    detail = "This is no encrypted message to the group."
    field = "message"


class NotTheSender(Forbidden):
    """The message names another member than the caller's device as its sender."""

    code = "not_the_sender"
    detail = "The message names another sender than this device."


class NotAllowedInGroup(Forbidden):
    """The role of the caller, or of whoever has proposed it, does not allow this change."""

    code = "not_allowed_in_group"
    detail = "Your role in the group does not allow this."


class GroupMessageTooLarge(TooLarge):
    """The message, Welcome or GroupInfo has more bytes than are allowed."""

    code = "group_message_too_large"


class GroupFull(LimitReached):
    """The group has, or would have, more members than are allowed."""

    code = "group_full"


class TooManyGroups(LimitReached):
    """The caller is in as many groups as are allowed."""

    code = "too_many_groups"
    detail = "You are in as many groups as are allowed."


class GroupChecksBusy(RateLimited):
    """Too many changes of groups are being checked at this moment."""

    code = "group_checks_busy"
    detail = "Too many changes of groups are being checked at this moment."


class GroupsUnavailable(Unavailable):
    """Groups cannot be reached at the moment. A message may have been stored: send it again with its id."""

    code = "groups_unavailable"
    detail = "Messages to groups cannot be sent at the moment; try again."
