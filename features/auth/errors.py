"""The errors of sign-up, log-in, sessions and tokens."""

from datetime import datetime

from features.errors import Forbidden, Invalid, LimitReached, NotFound, RateLimited, Unauthenticated


class BadEmail(Invalid):
    """This is not an e-mail address."""

    code = "bad_email"
    field = "email"


class PasswordTooShort(Invalid):
    """The password has too few characters."""

    code = "password_too_short"
    field = "password"


class PasswordTooLong(Invalid):
    """The password has too many characters."""

    code = "password_too_long"
    field = "password"


class PasswordTooCommon(Invalid):
    """The password is easy to guess: it is on a list of common ones, repeats few characters, or is the person's name or
    address."""

    code = "password_too_common"
    detail = "This password is easy to guess; choose another."
    field = "password"


class TooManySignUps(LimitReached):
    """The e-mail address has been sent as many codes in one day as are allowed; confirm one of its sign-ups."""

    code = "too_many_sign_ups"
    detail = "This address has been used for too many sign-ups today."
    field = "email"


class TooManyMails(RateLimited):
    """Too many sign-ups from this network address have not been confirmed."""

    code = "too_many_mails"
    detail = "Too many sign-ups from this network have not been confirmed; wait."


class UnknownSignUp(NotFound):
    """There is no such sign-up, it was confirmed, or it is too old."""

    code = "unknown_sign_up"
    detail = "There is no such sign-up; sign up again."
    field = "sign_up_id"


class TooManyCodes(LimitReached):
    """This sign-up, or its e-mail address, has had as many codes as are allowed; sign up again, or wait."""

    code = "too_many_codes"
    detail = "No more codes for this sign-up; sign up again."


class CodeJustSent(RateLimited):
    """A code was sent a moment ago."""

    code = "code_just_sent"
    detail = "A code was sent just now."


class WrongCode(Invalid):
    """The code is not the one that was mailed. The attempt is counted."""

    code = "wrong_code"
    detail = "This is not the code that was sent."
    field = "code"
    keeps_writes = True


class CodeExpired(Invalid):
    """The code has expired; ask for a new one."""

    code = "code_expired"
    detail = "This code has expired; ask for a new one."
    field = "code"


class TooManyAttempts(LimitReached):
    """Too many wrong codes: this code is no longer accepted; ask for a new one."""

    code = "too_many_attempts"
    detail = "Too many wrong codes; ask for a new one."
    field = "code"


class WrongCredentials(Unauthenticated):
    """No such account or a wrong password; which of the two is not disclosed. The attempt is counted."""

    code = "wrong_credentials"
    detail = "The identifier or the password is wrong."
    keeps_writes = True


class LockedOut(RateLimited):
    """The password is not checked, since too many were wrong before."""

    code = "locked_out"
    detail = "Too many wrong passwords; wait."

    @classmethod
    def until(cls, end: datetime, now: datetime) -> "LockedOut":
        return cls(retry_after_s=int((end - now).total_seconds()) + 1)


class WrongPassword(Forbidden):
    """The password is not that of the signed-in caller's account. The attempt is counted."""

    code = "wrong_password"
    detail = "This is not the account's password."
    field = "password"
    keeps_writes = True


class AccountSuspended(Forbidden):
    """The credentials are right, and the account is suspended."""

    code = "account_suspended"
    detail = "This account is suspended."
    keeps_writes = True


class EmailNotConfirmed(Forbidden):
    """The password is right, and the sign-up has not been confirmed with its code."""

    code = "email_not_confirmed"
    detail = "Confirm your e-mail address with the code first."


class HashingBusy(RateLimited):
    """Too many passwords are being checked at this moment."""

    code = "sign_in_busy"
    detail = "Too many people are signing in at this moment."


class BadRefreshToken(Unauthenticated):
    """The refresh token is unknown or expired, or its session has ended; log in again."""

    code = "bad_refresh_token"
    detail = "This refresh token is not valid; log in again."


class RefreshTokenReused(Unauthenticated):
    """A refresh token was used twice, so somebody has a copy: its session was ended."""

    code = "refresh_token_reused"
    detail = "This refresh token was used before; the session has been ended."
    keeps_writes = True


class SignInRequired(Unauthenticated):
    """The request has no access token."""

    code = "sign_in_required"
    detail = "This needs an access token."


class BadToken(Unauthenticated):
    """The access token was not issued by this brand, or has been changed."""

    code = "bad_token"
    detail = "The access token is not one of ours."


class TokenExpired(Unauthenticated):
    """The access token has expired; exchange the refresh token."""

    code = "token_expired"
    detail = "The access token has expired; refresh it."


class SessionEnded(Unauthenticated):
    """The sign-in session of the token has been ended; log in again."""

    code = "session_ended"
    detail = "This session has been ended; log in again."


class LogInAgain(Forbidden):
    """This needs a session that has just begun: log in, and repeat the request with the new access token."""

    code = "log_in_again"
    detail = "Log in again to do this."


class UnknownSession(NotFound):
    """The caller has no live session with this id."""

    code = "unknown_session"
    detail = "You have no such session."


PASSWORD_ERRORS = (PasswordTooShort, PasswordTooLong, PasswordTooCommon)
TOKEN_ERRORS = (BadToken, TokenExpired, SessionEnded)
PASSWORD_CHECK_ERRORS = (WrongPassword, LockedOut, HashingBusy)
