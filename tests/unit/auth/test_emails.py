"""Normalised e-mail addresses, and addresses of SMTP servers."""

import pytest

from cluster.mail import Mailer
from features.auth.emails import normalise_email
from features.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@EXAMPLE.org", "Ada@example.org"),
        ("ada+news@example.org", "ada+news@example.org"),
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
    ],
)
def test_one_spelling(typed: str, stored: str) -> None:
    assert normalise_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    ["", "ada", "ada@", "@example.org", "a da@example.org", "ada@localhost", "a@b.org\r\nBcc: c@d.org", "a\0@b.org"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        normalise_email(typed)
    assert refused.value.field == "email"


@pytest.mark.parametrize("url", ["http://mail.example.org", "smtp://", "mail.example.org:25", ""])
def test_an_smtp_address_must_say_how(url: str) -> None:
    with pytest.raises(ValueError, match="smtp"):
        Mailer(url, "no-reply@example.org")
