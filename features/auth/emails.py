"""Normalisation of e-mail addresses, and the mails of this slice."""

from email_validator import EmailNotValidError, validate_email

from cluster.mail import Mail
from features.auth.errors import BadEmail
from features.auth.policy import AuthPolicy


def normalise_email(text: str) -> str:
    """Returns the address in Unicode NFC with a lower-case domain. Raises BadEmail. Does not query DNS."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise BadEmail(str(error)) from None


def _unwanted(policy: AuthPolicy) -> str:
    return (
        "If somebody keeps entering your address: it gets at most "
        f"{policy.mails_per_email} such mails a day, and blocking their sender in your mail program stops them.\n"
    )


def confirmation_mail(to: str, title: str, code: str, policy: AuthPolicy) -> Mail:
    """Returns the mail with the code of a sign-up. Whoever signed up may have entered somebody else's address: the mail
    holds nothing that they chose, such as a username that mail programs take for a link."""
    minutes = int(policy.code_lifetime.total_seconds() // 60)
    return Mail(
        to,
        f"{code} is your {title} code",
        f"Welcome to {title}!\n\n"
        f"The code that confirms your account is {code}.\n"
        f"It is valid for {minutes} minutes.\n\n"
        "If you did not sign up, ignore this mail and tell nobody the code: without it no account is made. "
        + _unwanted(policy),
    )


def already_registered_mail(to: str, title: str, policy: AuthPolicy) -> Mail:
    """Returns the mail to the owner of an account with whose address somebody signed up."""
    return Mail(
        to,
        f"You already have a {title} account",
        f"Somebody tried to sign up to {title} with this address, which already has an account.\n\n"
        "If it was you, log in with this address instead. If it was not, ignore this mail: nothing has changed. "
        + _unwanted(policy),
    )
