"""Sign-up: a claim to an e-mail address, confirmed by a mailed code (docs/decisions/passwords.md)."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.mail import Mail
from cluster.postgres import UnitOfWork
from features.accounts.service import AccountService
from features.auth import emails, secrets, store
from features.auth.device_tokens import DeviceTokens
from features.auth.errors import (
    CodeExpired,
    CodeJustSent,
    TooManyAttempts,
    TooManyCodes,
    TooManyMails,
    TooManySignUps,
    UnknownSignUp,
    WrongCode,
)
from features.auth.events import ConfirmationRequested, SignedUp
from features.auth.model import AuditKind, LoggedIn, MailCounts, SignUp
from features.auth.passwords import PasswordHashing, check_password
from features.auth.policy import AuthPolicy
from features.auth.sessions import SessionService
from features.events import publish
from features.profiles.errors import UsernameTaken
from features.profiles.model import canonical_username
from features.profiles.service import ProfileService
from features.text import clean_line


@dataclass(frozen=True, slots=True)
class SignUpService:
    """Sign-ups of one brand. `title` is the brand's name in mails, `secret` keys the hashes of codes."""

    policy: AuthPolicy
    accounts: AccountService
    profiles: ProfileService
    hashing: PasswordHashing
    sessions: SessionService
    device_tokens: DeviceTokens
    title: str
    secret: bytes

    async def request(
        self, uow: UnitOfWork, *, email: str, username: str, name: str, password: str, requester: str, now: datetime
    ) -> UUID:
        """Stores a claim to an address and has a code mailed to it. Returns the sign-up's id. Behaves the same whether
        the address has an account or not. `requester` is the network address. Raises BadEmail, UsernameTaken,
        TooManySignUps, TooManyMails, and the errors of usernames, names and passwords."""
        email = emails.normalise_email(email)
        username = canonical_username(username, reserved=self.profiles.policy.reserved_usernames)
        name = clean_line(name, field="name", max_characters=self.profiles.policy.max_name_characters)
        check_password(password, self.policy, username, email, email.partition("@")[0])
        async with self.hashing.slot() as hasher:
            password_hash = await hasher.hash(password)
        if await self.profiles.holder(uow, username) is not None:
            raise UsernameTaken
        oldest = now - self.policy.sign_up_lifetime
        source = secrets.hash_subject(self.secret, "requester", requester)
        await store.lock_mail_counts(uow, secrets.hash_subject(self.secret, "email", email.lower()), source)
        self._require_mails_left(await store.count_mails(uow, email, source, oldest), now)
        sign_up_id = new_id(now)
        await store.insert_sign_up(
            uow,
            sign_up_id,
            email=email,
            username=username,
            name=name,
            password_hash=password_hash,
            requester=source,
            now=now,
        )
        await store.sweep_sign_ups(uow, oldest)
        publish(uow, ConfirmationRequested(sign_up_id), now)
        return sign_up_id

    def _require_mails_left(self, counts: MailCounts, now: datetime) -> None:
        """Raises TooManySignUps, TooManyMails. Somebody may enter another person's address, who must not get many mails
        for that; and one network address must not use up what the person's own sign-up needs."""
        policy = self.policy
        if counts.by_requester >= policy.mails_per_requester and counts.requester_since is not None:
            wait = counts.requester_since + policy.sign_up_lifetime - now
            raise TooManyMails(retry_after_s=int(wait.total_seconds()) + 1)
        if (
            counts.to_email >= policy.mails_per_email
            or counts.by_requester_to_email >= policy.mails_per_email_and_requester
        ):
            raise TooManySignUps

    async def resend(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> None:
        """Has another code mailed. Raises UnknownSignUp, TooManyCodes, CodeJustSent."""
        sign_up = await self._lock(uow, sign_up_id, now)
        if sign_up.codes >= self.policy.codes_per_sign_up:
            raise TooManyCodes
        wait = sign_up.requested_at + self.policy.code_resend_after - now
        if wait.total_seconds() > 0:
            raise CodeJustSent(retry_after_s=int(wait.total_seconds()) + 1)
        counts = await store.count_mails(uow, sign_up.email, None, now - self.policy.sign_up_lifetime)
        if counts.to_email >= self.policy.mails_per_email:
            raise TooManyCodes
        await store.note_code_request(uow, sign_up_id, now)
        publish(uow, ConfirmationRequested(sign_up_id), now)

    async def new_code(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> Mail | None:
        """Creates the code of a sign-up and returns its mail, None if the sign-up is gone. The owner of an address that
        has an account gets another mail, but a code is created all the same, so that `confirm` does not tell the two
        cases apart."""
        sign_up = await store.lock_sign_up(uow, sign_up_id, now - self.policy.sign_up_lifetime)
        if sign_up is None:
            return None
        code = secrets.new_code()
        code_hash = secrets.hash_code(self.secret, sign_up_id, code)
        await store.set_code(uow, sign_up_id, code_hash, now + self.policy.code_lifetime)
        if await self.accounts.exists(uow, sign_up.email):
            return emails.already_registered_mail(sign_up.email, self.title, self.policy)
        return emails.confirmation_mail(sign_up.email, self.title, code, self.policy)

    async def confirm(self, uow: UnitOfWork, sign_up_id: UUID, code: str, device: str, now: datetime) -> LoggedIn:
        """Creates the account and its first session. Raises UnknownSignUp, WrongCode, CodeExpired,
        TooManyAttempts, EmailRegistered, UsernameTaken."""
        sign_up = await self._lock(uow, sign_up_id, now)
        if sign_up.attempts >= self.policy.code_attempts:
            raise TooManyAttempts
        if sign_up.code_expires_at is not None and sign_up.code_expires_at <= now:
            raise CodeExpired
        expected = secrets.hash_code(self.secret, sign_up_id, code)
        if sign_up.code_hash is None or not hmac.compare_digest(expected, sign_up.code_hash):
            await store.note_wrong_code(uow, sign_up_id)
            raise WrongCode
        account_id = new_id(now)
        await self.accounts.create(uow, account_id, sign_up.email, sign_up.password_hash, now)
        await self.profiles.create(uow, account_id, sign_up.username, sign_up.name, now)
        await store.delete_sign_up(uow, sign_up_id)  # others with this address fail at the unique index above
        publish(uow, SignedUp(account_id), now)
        tokens = await self.sessions.start(uow, account_id, AuditKind.SIGNED_UP, device, now)
        return LoggedIn(tokens, self.device_tokens.issue(account_id, sign_up.password_hash, None, now))

    async def _lock(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> SignUp:
        sign_up = await store.lock_sign_up(uow, sign_up_id, now - self.policy.sign_up_lifetime)
        if sign_up is None:
            raise UnknownSignUp
        return sign_up
