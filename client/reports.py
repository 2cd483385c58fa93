"""What a user shows to the moderators: messages of others, with the proof that they were sent."""

from collections.abc import Sequence

from client.api import Connection
from client.api.message_reports import MAX_MESSAGES, MessageReportsApi
from client.messaging import evidence
from client.storage import Database
from client.writing import Impossible

REASONS = ("spam", "fraud", "harassment", "hate", "violence", "sexual", "child_safety", "self_harm", "other")


class Reports:
    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._api = MessageReportsApi(connection)

    def can_report(self, number: int) -> bool:
        """Whether a message, by its number, was delivered to this device by somebody else and is still there."""
        return bool(evidence.of_message(self._database, number))

    async def report(self, numbers: Sequence[int], reason: str) -> None:
        """Shows messages, with all that they said before they were edited, to the moderators, who can read them then.
        Nobody else learns of it. `reason`: one of REASONS. A second time does no harm. Raises Impossible for a message
        that cannot be reported, before anything is shown; ApiError, NoResponse, SignedOut."""
        if reason not in REASONS:
            raise Impossible(f"A reason is one of: {', '.join(REASONS)}.")
        shown: list[evidence.Evidence] = []
        for number in numbers:
            found = evidence.of_message(self._database, number)
            if not found:
                raise Impossible("Only messages that others have sent to this device can be reported.")
            shown += found
        for start in range(0, len(shown), MAX_MESSAGES):
            await self._api.report(reason, shown[start : start + MAX_MESSAGES])
