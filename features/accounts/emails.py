"""The mails of this slice: to somebody whose account is going to be erased, and has been."""

from datetime import datetime

from cluster.mail import Mail


def deletion_mail(to: str, title: str, deletes_at: datetime) -> Mail:
    """Returns the mail about a deletion that can be taken back until `deletes_at`."""
    return Mail(
        to,
        f"Your {title} account will be deleted on {deletes_at:%Y-%m-%d}",
        f"Somebody who knows its password has requested the deletion of your {title} account.\n\n"
        f"On {deletes_at:%Y-%m-%d at %H:%M} UTC the account and everything in it is erased for good. "
        "Until then a log-in takes that back, and everything is as it was before.\n\n"
        "If it was not you, log in now, and end all other sessions.\n",
    )


def erased_mail(to: str, title: str) -> Mail:
    """Returns the mail to an address that no account has any more."""
    return Mail(
        to,
        f"Your {title} account has been deleted",
        f"Your {title} account and everything in it has been erased, as was requested. "
        "This is the last mail about it.\n",
    )
