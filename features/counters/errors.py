"""The errors of counters."""

from features.errors import Unavailable


class ReactionNotStored(Unavailable):
    """Nobody can say whether the reaction was stored; to repeat the request does no harm."""

    code = "reaction_not_stored"
    detail = "The reaction may not have been stored; try again."
