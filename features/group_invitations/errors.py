"""The errors of invitations to groups. Somebody who only has a link learns nothing about the group from them."""

from features.errors import Conflict, Invalid, LimitReached, NotFound


class NoSuchGroupInvitation(NotFound):
    """There is no such invitation (any more): it has expired, was revoked or is used up, whoever made it is not an
    owner or admin any more, or is apart from the caller; always the same error, so that it reveals nothing."""

    code = "no_such_group_invitation"
    detail = "This invitation is not good any more, or never was one."


class BadInvitationLifetime(Invalid):
    """An invitation would be good for too short or too long."""

    code = "bad_invitation_lifetime"
    field = "expires_in_s"


class TooManyGroupInvitations(LimitReached):
    """The group has as many invitations as are allowed; some can be revoked."""

    code = "too_many_group_invitations"


class GroupInvitationUsedUp(LimitReached):
    """As many people were let in by the invitation as it is for."""

    code = "group_invitation_used_up"
    detail = "As many people were let in by this invitation as it is for."


class AlreadyInGroup(Conflict):
    """The caller is in the group already."""

    code = "already_in_group"
    detail = "You are in this group already."


class NoSuchGroupJoinRequest(NotFound):
    """The caller has no such request to join a group, and none to answer."""

    code = "no_such_group_join_request"
    detail = "There is no such request to join a group."


class TooManyGroupJoinRequests(LimitReached):
    """As many requests to join wait for an answer as are allowed: of the caller, or by this invitation."""

    code = "too_many_group_join_requests"
    detail = "Too many requests to join wait for an answer."
