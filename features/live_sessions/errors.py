"""The errors of live sessions, which other slices get when they push."""

from features.errors import Invalid


class PushRefused(Invalid):
    """The live session cannot take this event or counter: it is too large, or one too many. (No route answers with
    it.)"""

    code = "push_refused"
