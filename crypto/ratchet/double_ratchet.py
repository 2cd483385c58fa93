"""The Double Ratchet, with header encryption (specification revision 1, §4) or without (§3), and with our rekeying.

One class serves all: header encryption decides how a received header finds its chain, rekeying (``rekey.py``) what else
goes into some of the root steps.
"""

from typing import NamedTuple

from crypto import curve25519
from crypto.errors import DecodeError
from crypto.randomness import Randomness
from crypto.ratchet.errors import CannotSend, MessageRejected, Rejection
from crypto.ratchet.formats import MAX_MESSAGE_LENGTH, Envelope
from crypto.ratchet.header import MAX_CHAIN, MAX_NUMBER, Header
from crypto.ratchet.kdf import KEY_LENGTH, chain_step, initial_keys, root_step
from crypto.ratchet.parameters import DEFAULT_PARAMETERS, VERSION_1_PARAMETERS, RatchetParameters
from crypto.ratchet.rekey import MAX_FRAME, Frame, Rekeying
from crypto.ratchet.skipped import SkippedKeys
from crypto.ratchet.state import MAX_ASSOCIATED_DATA, RatchetState

_MAX_PLAINTEXT = MAX_MESSAGE_LENGTH - 1024
_NO_HEADER_KEY = b""


class _NewChain(NamedTuple):
    """What a Diffie-Hellman step (§3.5 DHRatchet, its receiving half) changes."""

    their_public: bytes
    root_key: bytes
    next_header: bytes
    chain_key: bytes
    left_behind: list[tuple[int, bytes]]  # skipped keys of the chain that ends


class DoubleRatchet:
    """One session between two devices.

    A method that raises leaves the session as it was. The caller stores ``serialize()`` after every
    ``encrypt`` (before sending) and every ``decrypt`` (before acknowledging). Not safe for concurrent use.
    """

    __slots__ = ("_format", "_parameters", "_state")

    def __init__(self, state: RatchetState, parameters: RatchetParameters) -> None:
        self._state = state
        self._parameters = parameters
        self._format = parameters.message_format

    def __repr__(self) -> str:
        return f"DoubleRatchet(sent={self._state.sent}, received={self._state.received})"

    @classmethod
    def initiate(
        cls,
        shared_secret: bytes,
        their_ratchet_key: bytes,
        associated_data: bytes,
        randomness: Randomness,
        parameters: RatchetParameters = DEFAULT_PARAMETERS,
    ) -> "DoubleRatchet":
        """RatchetInitAlice (§3.3) or RatchetInitAliceHE (§4.4): the side that sends first.

        ``shared_secret``: 32 bytes from the handshake. ``their_ratchet_key``: the responder's signed prekey.
        ``associated_data``: binds both identities (X3DH §3.3); every message authenticates it.
        Raises ``InvalidPublicKey``.
        """
        root_key, their_header, own_header = cls._initial_keys(shared_secret, associated_data, parameters)
        state = RatchetState(
            associated_data,
            root_key,
            SkippedKeys(parameters.chain_limit, parameters.total_limit),
            their_public=their_ratchet_key,
            # Alice sends under hka, and §4.4 names what she receives under first nhkb.
            sending_header=their_header,
            next_receiving_header=own_header,
            rekeying=None if parameters.rekey_interval is None else Rekeying(generates=True),
        )
        ratchet = cls(state, parameters)
        ratchet._start_sending_chain(randomness)
        return ratchet

    @classmethod
    def respond(
        cls,
        shared_secret: bytes,
        own_ratchet_private: bytes,
        associated_data: bytes,
        parameters: RatchetParameters = DEFAULT_PARAMETERS,
    ) -> "DoubleRatchet":
        """RatchetInitBob (§3.3) or RatchetInitBobHE (§4.4): receives first; cannot send before that.

        ``own_ratchet_private``: the private signed prekey, 32 bytes, that the initiator used.
        """
        root_key, their_header, own_header = cls._initial_keys(shared_secret, associated_data, parameters)
        state = RatchetState(
            associated_data,
            root_key,
            SkippedKeys(parameters.chain_limit, parameters.total_limit),
            own_private=own_ratchet_private,
            own_public=curve25519.public_key(own_ratchet_private),
            next_sending_header=own_header,
            next_receiving_header=their_header,
            rekeying=None if parameters.rekey_interval is None else Rekeying(generates=False),
        )
        return cls(state, parameters)

    @staticmethod
    def _initial_keys(
        shared_secret: bytes, associated_data: bytes, parameters: RatchetParameters
    ) -> tuple[bytes, bytes | None, bytes | None]:
        if len(shared_secret) != KEY_LENGTH:
            raise ValueError("the shared secret has 32 bytes")
        if len(associated_data) > MAX_ASSOCIATED_DATA:
            raise ValueError("the associated data is longer than 64 KiB")
        if parameters.message_format.hides_header:
            return initial_keys(shared_secret, parameters.initial_info)
        return shared_secret, None, None

    @property
    def can_send(self) -> bool:
        """False only for a responder that has not received its first message."""
        return self._state.their_public is not None

    @property
    def skipped_keys(self) -> int:
        """How many keys of overtaken messages are kept."""
        return len(self._state.skipped)

    def encrypt(self, plaintext: bytes, randomness: Randomness) -> bytes:
        """RatchetEncrypt (§3.4, §4.5): the next message. Raises ``CannotSend``."""
        state = self._state
        if len(plaintext) > _MAX_PLAINTEXT:
            raise CannotSend("the plaintext is too long for one message")
        if state.sending_chain is None:
            if state.their_public is None:
                raise CannotSend("no message has been received yet")
            self._start_sending_chain(randomness)
        if state.sent >= MAX_CHAIN:
            raise CannotSend("the sending chain is full until the other side answers")
        assert state.sending_chain is not None
        assert state.own_public is not None
        rekey = 0
        if state.rekeying is not None:
            rekey = state.rekeying.chain_number
            plaintext = state.rekeying.frame(state.sent, plaintext, _MAX_PLAINTEXT - MAX_FRAME)
        chain_key, message_key = chain_step(state.sending_chain)
        message = self._format.seal(
            state.sending_header or _NO_HEADER_KEY,
            Header(state.own_public, state.previous_sent, state.sent, rekey),
            message_key,
            plaintext,
            state.associated_data,
            randomness,
        )
        state.sending_chain = chain_key
        state.sent += 1
        return message

    def decrypt(self, message: bytes) -> bytes:
        """RatchetDecrypt (§3.5, §4.6): the plaintext of ``message``. Raises only ``MessageRejected``."""
        try:
            envelope = self._format.split(message)
            return self._decrypt(envelope)
        except DecodeError:
            raise MessageRejected(Rejection.MALFORMED) from None

    def serialize(self) -> bytes:
        """The versioned state, which holds every secret of the session: encrypt it at rest."""
        return self._state.encode()

    @classmethod
    def restore(cls, state: bytes, parameters: RatchetParameters | None = None) -> "DoubleRatchet":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``.

        Without ``parameters`` they are those of the state's version, by default.
        """
        if parameters is None:
            parameters = VERSION_1_PARAMETERS if state[:1] == b"\x01" else DEFAULT_PARAMETERS
        return cls(RatchetState.decode(state, parameters), parameters)

    def _start_sending_chain(self, randomness: Randomness) -> None:
        """The sending half of DHRatchet, deferred to the first message that needs it (§6.5).

        Deferring means that the newest private key does not lie around until it is used.
        """
        state = self._state
        assert state.their_public is not None
        private = randomness.random_bytes(KEY_LENGTH)
        shared = curve25519.shared_secret(private, state.their_public)
        info = self._parameters.root_info
        if state.rekeying is not None and self._parameters.rekey_interval is not None:
            if state.rekeying.generates and state.rekeying.secret is not None:
                shared, info = state.rekeying.step(shared, info)
                state.rekeying.stepped()
                state.rekeying.chain_number = state.rekeying.number
            else:
                state.rekeying.before_chain(self._parameters.rekey_interval, randomness)
        state.root_key, state.sending_chain, next_header = root_step(state.root_key, shared, info)
        state.own_private = private
        state.own_public = curve25519.public_key(private)
        if self._format.hides_header:
            state.next_sending_header = next_header

    def _decrypt(self, envelope: Envelope) -> bytes:
        state = self._state
        if self._format.hides_header:
            if state.receiving_header is not None:
                header = self._format.open_header(envelope, state.receiving_header)
                if header is not None:
                    return self._decrypt_in_current_chain(envelope, header, state.receiving_header)
            assert state.next_receiving_header is not None
            header = self._format.open_header(envelope, state.next_receiving_header)
            if header is not None:
                return self._decrypt_in_new_chain(envelope, header)
            for chain in state.skipped.chains():
                header = self._format.open_header(envelope, chain)
                if header is not None:
                    return self._decrypt_skipped(envelope, header, chain)
            raise MessageRejected(Rejection.UNAUTHENTIC)

        header = self._format.open_header(envelope, _NO_HEADER_KEY)
        assert header is not None
        if header.ratchet_key == state.their_public and state.receiving_chain is not None:
            return self._decrypt_in_current_chain(envelope, header, header.ratchet_key)
        if state.skipped.find(header.ratchet_key, header.number) is not None:
            return self._decrypt_skipped(envelope, header, header.ratchet_key)
        return self._decrypt_in_new_chain(envelope, header)

    def _decrypt_skipped(self, envelope: Envelope, header: Header, chain: bytes) -> bytes:
        """TrySkippedMessageKeys: a message that was overtaken."""
        state = self._state
        message_key = state.skipped.find(chain, header.number)
        if message_key is None:
            raise MessageRejected(Rejection.DUPLICATE)
        frame = self._open(envelope, message_key)
        state.skipped.remove(chain, header.number)
        return self._absorb(frame)

    def _decrypt_in_current_chain(self, envelope: Envelope, header: Header, chain: bytes) -> bytes:
        state = self._state
        if header.number < state.received:
            return self._decrypt_skipped(envelope, header, chain)
        assert state.receiving_chain is not None
        chain_key, skipped = self._skip(state.receiving_chain, state.received, header.number)
        chain_key, message_key = chain_step(chain_key)
        frame = self._open(envelope, message_key)

        state.receiving_chain = chain_key
        state.received = header.number + 1
        if skipped:
            state.skipped.add(chain, skipped)
        return self._absorb(frame)

    def _decrypt_in_new_chain(self, envelope: Envelope, header: Header) -> bytes:
        state = self._state
        new = self._receiving_step(header)
        chain_key, skipped = self._skip(new.chain_key, 0, header.number)
        chain_key, message_key = chain_step(chain_key)
        frame = self._open(envelope, message_key)

        hides_header = self._format.hides_header
        old_chain = state.receiving_header if hides_header else state.their_public
        new_chain = state.next_receiving_header if hides_header else new.their_public
        assert new_chain is not None
        if new.left_behind:
            assert old_chain is not None
            state.skipped.add(old_chain, new.left_behind)
        if skipped:
            state.skipped.add(new_chain, skipped)
        state.their_public = new.their_public
        state.root_key = new.root_key
        state.receiving_chain = chain_key
        state.received = header.number + 1
        state.previous_sent = min(state.sent, MAX_CHAIN)  # older versions sent one more
        state.sent = 0
        # The old ratchet key has done its work; the next one is made when there is something to send.
        state.own_private = state.own_public = state.sending_chain = None
        if hides_header:
            state.sending_header, state.next_sending_header = state.next_sending_header, None
            state.receiving_header, state.next_receiving_header = new_chain, new.next_header
        if state.rekeying is not None and header.rekey:
            state.rekeying.stepped()
        return self._absorb(frame)

    def _open(self, envelope: Envelope, message_key: bytes) -> Frame | bytes:
        plaintext = self._format.open(envelope, message_key, self._state.associated_data)
        return plaintext if self._state.rekeying is None else self._state.rekeying.split(plaintext)

    def _absorb(self, opened: Frame | bytes) -> bytes:
        """The plaintext, once the message is accepted; what came with it for the rekeying is taken over."""
        if isinstance(opened, bytes):
            return opened
        assert self._state.rekeying is not None
        self._state.rekeying.absorb(opened)
        return opened.plaintext

    def _receiving_step(self, header: Header) -> _NewChain:
        state = self._state
        if state.own_private is None:
            # The other side can only step after it has seen a ratchet key that we have not made yet.
            raise MessageRejected(Rejection.UNAUTHENTIC)
        left_behind: list[tuple[int, bytes]] = []
        missing = header.previous_length - state.received
        # More missing messages than the bound are given up: they are lost, the session is not.
        if state.receiving_chain is not None and missing <= self._parameters.chain_limit:
            _, left_behind = self._skip(state.receiving_chain, state.received, header.previous_length)
        try:
            shared = curve25519.shared_secret(state.own_private, header.ratchet_key)
        except curve25519.InvalidPublicKey:
            raise MessageRejected(Rejection.UNAUTHENTIC) from None
        info = self._parameters.root_info
        if state.rekeying is not None and header.rekey:
            if not state.rekeying.accepts_step(header.rekey):
                raise MessageRejected(Rejection.UNAUTHENTIC)
            shared, info = state.rekeying.step(shared, info)
        root_key, chain_key, next_header = root_step(state.root_key, shared, info)
        return _NewChain(header.ratchet_key, root_key, next_header, chain_key, left_behind)

    def _skip(self, chain_key: bytes, start: int, end: int) -> tuple[bytes, list[tuple[int, bytes]]]:
        """SkipMessageKeys: the chain key at ``end`` and the message keys of ``start``..``end`` - 1."""
        if end == start:
            return chain_key, []
        if end - start > self._parameters.chain_limit or end > MAX_NUMBER:
            raise MessageRejected(Rejection.TOO_FAR)
        skipped: list[tuple[int, bytes]] = []
        for number in range(start, end):
            chain_key, message_key = chain_step(chain_key)
            skipped.append((number, message_key))
        return chain_key, skipped
