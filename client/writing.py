"""What a user does in conversations. What is impossible is said before anything is stored; what others would refuse, is
impossible."""

from collections.abc import Callable

from client.attachments import Upload
from client.conversations import Conversations, Message
from client.messaging import Messenger
from client.messaging.body import MAX_QUOTE
from client.messaging.contents import Deletion, Edit, Poll, Quote, Reaction, Text, Timer, Vote
from client.messaging.timeline import DELETE_MS, EDIT_MS


class Impossible(ValueError):
    """A message cannot be changed so. The text is for the user."""


class Writing:
    """Methods raise ValueError, whose text is for the user."""

    def __init__(self, messenger: Messenger, conversations: Conversations, clock: Callable[[], int]) -> None:
        """`clock`: milliseconds since 1970."""
        self._messenger = messenger
        self._conversations = conversations
        self._clock = clock

    def write(self, conversation_id: str, text: str, answers: int | None = None) -> int:
        """Writes a message. `answers`: the number of the message that it answers. Returns its number."""
        quote = None
        if answers is not None:
            quoted = self._find(answers)
            quote = Quote(quoted.account_id, quoted.id, (quoted.text or "")[:MAX_QUOTE])
        content = Text(text, quote, self._conversations.timer(conversation_id))
        number = self._messenger.send(conversation_id, content, self._clock())
        assert number is not None
        return number

    def ask(self, conversation_id: str, question: str, poll: Poll) -> int:
        """Writes a message that asks. Returns its number."""
        content = Text(question, None, self._conversations.timer(conversation_id), poll=poll)
        number = self._messenger.send(conversation_id, content, self._clock())
        assert number is not None
        return number

    def vote(self, number: int, choices: tuple[int, ...]) -> None:
        """Chooses options of a poll, in place of an earlier choice; none takes that back."""
        message = self._find(number)
        poll = None if message.poll is None else message.poll.poll
        if poll is None or max(choices, default=0) >= len(poll.options):
            raise Impossible("This message does not ask that.")
        if len(choices) > 1 and not poll.multiple:
            raise Impossible("Only one of these can be chosen.")
        vote = Vote(message.account_id, message.id, choices)
        self._messenger.send(message.conversation_id, vote, self._clock())

    def write_upload(self, upload: Upload, together_with: Callable[[], None]) -> None:
        """Writes the message of a file that is at the server. `together_with`: what happens in the same transaction."""
        timer = self._conversations.timer(upload.conversation_id)
        content = Text(upload.text, None, timer, attachments=(upload.attachment,))
        self._messenger.send(upload.conversation_id, content, self._clock(), together_with)

    def edit(self, number: int, text: str) -> None:
        """Replaces the text of an own message, within a day after it was sent."""
        message = self._own(number)
        if self._clock() - message.time > EDIT_MS:
            raise Impossible("A message can be edited within a day after it was sent.")
        self._messenger.send(message.conversation_id, Edit(message.id, text), self._clock())

    def delete(self, number: int) -> None:
        """Deletes an own message for everybody, within a day after it was sent."""
        message = self._own(number)
        if self._clock() - message.time > DELETE_MS:
            raise Impossible("A message can be deleted for everybody within a day after it was sent.")
        self._messenger.send(message.conversation_id, Deletion(message.id), self._clock())

    def react(self, number: int, emoji: str | None) -> None:
        """Reacts to a message, in place of an earlier reaction; None takes that back."""
        message = self._find(number)
        self._messenger.send(message.conversation_id, Reaction(message.account_id, message.id, emoji), self._clock())

    def set_timer(self, conversation_id: str, expires_in_s: int | None) -> None:
        """Messages that are written in a conversation from now on disappear after so many seconds; None: they stay."""
        self._messenger.send(conversation_id, Timer(expires_in_s), self._clock())

    def _find(self, number: int) -> Message:
        message = self._conversations.message(number)
        if message is None or message.deleted or message.problem is not None:
            raise Impossible("This message is not there any more, or was never one.")
        return message

    def _own(self, number: int) -> Message:
        message = self._find(number)
        if not message.own:
            raise Impossible("Only your own messages can be changed.")
        return message
