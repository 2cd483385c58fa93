"""The errors of realtime."""

from features.errors import Invalid, Unavailable


class NoRealtimeHost(Unavailable):
    """No realtime host takes connections at this moment."""

    code = "no_realtime_host"
    detail = "No realtime host takes connections now; poll, and try again."


class TicketsUnavailable(Unavailable):
    """Tickets cannot be issued at this moment."""

    code = "realtime_unavailable"
    detail = "Tickets cannot be issued now; poll, and try again."


class SessionsUnavailable(Unavailable):
    """The live session could not be reached in time. (No route answers with it.)"""

    code = "sessions_unavailable"


class UnknownRequest(Invalid):
    """The server knows no such request. (No route answers with it.)"""

    code = "unknown_request"
    detail = "There is no such request."
    field = "what"
