"""Normalisation of e-mail addresses, and the mails of this slice."""

from datetime import timedelta

from email_validator import EmailNotValidError, validate_email

from cluster.mail import Mail
from features.auth.errors import BadEmail


def normalise_email(text: str) -> str:
    """Returns the address in Unicode NFC with a lower-case domain. Raises BadEmail. Does not query DNS."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise BadEmail(str(error)) from None


def confirmation_mail(to: str, title: str, username: str, code: str, lifetime: timedelta) -> Mail:
    """Returns the mail with the code of a sign-up."""
    minutes = int(lifetime.total_seconds() // 60)
    return Mail(
        to,
        f"{code} is your {title} code",
        f"Welcome to {title}!\n\n"
        f"The code that confirms your account {username} is {code}.\n"
        f"It is valid for {minutes} minutes.\n\n"
        "If you did not sign up, ignore this mail: without the code no account is made.\n",
    )


def already_registered_mail(to: str, title: str) -> Mail:
    """Returns the mail to the owner of an account with whose address somebody signed up."""
    return Mail(
        to,
        f"You already have a {title} account",
        f"Somebody tried to sign up to {title} with this address, which already has an account.\n\n"
        "If it was you, log in with this address instead. If it was not, there is nothing to do.\n",
    )
