"""Bodies for groups: encrypted in the present epoch, once all is done that the user has wanted before."""

from client.messaging.groups.committing import Committing
from client.messaging.groups.requests import ChangeGroup, FoundGroup, SendToGroup
from client.messaging.groups.states import GroupState, GroupStates
from client.messaging.groups.submissions import Submissions
from client.messaging.groups.wishes import Wishes
from client.messaging.outgoing import Outgoing, Pending
from crypto.envelope import MessageContent, seal
from crypto.randomness import Randomness


class GroupSending:
    """Callers hold the transaction."""

    def __init__(
        self,
        states: GroupStates,
        submissions: Submissions,
        wishes: Wishes,
        committing: Committing,
        outgoing: Outgoing,
        randomness: Randomness,
    ) -> None:
        self._states = states
        self._submissions = submissions
        self._wishes = wishes
        self._committing = committing
        self._outgoing = outgoing
        self._randomness = randomness

    def requests(self, pending: Pending, now: int) -> list[FoundGroup | ChangeGroup | SendToGroup]:
        """What is to be asked to send a body."""
        stored = self._states.find(pending.conversation_id)
        if stored is None or stored.state is not GroupState.ACTIVE or stored.told_epoch > stored.epoch:
            return []
        if self._submissions.find(stored.id) is not None or self._wishes.first(stored.id) is not None:
            return []
        if not pending.encrypted and not self._encrypt(stored.id, pending, now):
            submission = self._submissions.find(stored.id)
            return [] if submission is None else [submission.request()]
        return [self._outgoing.group_request(pending)]

    def _encrypt(self, group_id: str, pending: Pending, now: int) -> bool:
        """Returns whether a body is encrypted: what was proposed has to be committed before."""
        group = self._states.open(group_id)
        if group.pending_proposals:
            self._committing.commit_pending(group_id, now, at_once=True)
            return False
        body = self._outgoing.body(pending.number)
        assert body is not None
        sealed = seal(MessageContent(body.encode()), self._randomness)
        message = group.encrypt(sealed.plaintext, sealed.commitment)
        self._states.write(group_id, group)
        self._outgoing.encrypted(pending, message)
        return True
