"""The counters of one target, in memory: what Postgres has stored, without I/O.

The statement that stores reactions says what each replaced (store.py), and only that changes the counts here. So they
are those of Postgres after each turn, whatever an account did at once from several devices.
"""

from collections import OrderedDict
from collections.abc import Mapping

Account = bytes
"""The 16 bytes of an account's id."""


class TargetCounters:
    """Counts by name, and the reactions of some accounts: of all who have one if `complete`, otherwise of the last
    `max_known` that were asked for."""

    __slots__ = ("changes", "complete", "counts", "known", "max_known")

    def __init__(self, max_known: int) -> None:
        self.max_known = max_known
        self.changes = 0
        """How often `counts` changed."""
        self.load({}, {})

    def load(self, counts: Mapping[str, int], reactions: Mapping[Account, str] | None) -> None:
        """Takes what is stored. `reactions` are all of them; None: they are too many."""
        self.counts = {name: count for name, count in counts.items() if count}
        self.changes += 1
        self.complete = reactions is not None
        self.known: OrderedDict[Account, str | None] = OrderedDict(reactions or {})
        """Each with its reaction; None: it has none. The one asked for longest ago comes first."""

    def knows(self, account: Account) -> bool:
        """Returns whether `own` can tell the account's reaction."""
        return self.complete or account in self.known

    def own(self, account: Account) -> str | None:
        """Returns the account's reaction, None if it has none. Raises KeyError if that is not known."""
        if self.complete:
            return self.known.get(account)
        self.known.move_to_end(account)
        return self.known[account]

    def learn(self, reactions: Mapping[Account, str | None]) -> None:
        """Takes accounts' reactions as they are stored."""
        for account, kind in reactions.items():
            if kind is None and self.complete:
                self.known.pop(account, None)
                continue
            self.known[account] = kind
            self.known.move_to_end(account)
        while len(self.known) > self.max_known:
            self.complete = False
            self.known.popitem(last=False)

    def reacted(self, account: Account, before: str | None, after: str | None) -> None:
        """Notes that an account's reaction `before` was replaced by `after`; None: no reaction."""
        for kind, change in ((before, -1), (after, 1)):
            if kind is not None:
                self.counts[kind] = self.counts.get(kind, 0) + change
                if not self.counts[kind]:
                    del self.counts[kind]
        self.changes += 1
        self.learn({account: after})
