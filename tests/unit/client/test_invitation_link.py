"""Links of invitations to groups: read as they were written, and nothing else."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.invitation_link import InvitationLink
from client.messaging.body import check_group_name

URL = "https://entativa.example/entativa"
LINK = "https://entativa.example/entativa#join.Yk3vS0mQb1mJ8n5w2xqT7A.VGhlIHRyaXA"


def _is_name(text: str) -> bool:
    try:
        check_group_name(text)
    except ValueError:
        return False
    return True


@given(st.text(max_size=40).filter(_is_name), st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_link_is_read_as_it_was_written(name: str, token: str) -> None:
    link = InvitationLink(URL, token, name)
    assert InvitationLink.parse(f" {link}\n") == link
    # A program that opens it sends neither the token nor the name.
    assert str(link).partition("#")[0] == URL
    assert urlsplit(str(link)).query == ""


def test_the_form_of_a_link_stays() -> None:
    assert InvitationLink.parse(LINK) == InvitationLink(URL, "Yk3vS0mQb1mJ8n5w2xqT7A", "The trip")
    assert "trip" not in repr(InvitationLink.parse(LINK))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        URL,
        f"{URL}#join.token",
        f"{URL}#join..VGhlIHRyaXA",
        f"{URL}#join.{'t' * 65}.VGhlIHRyaXA",
        f"{URL}#join.token.VGhlIHRyaXA extra",
        f"{URL}#join.token.A",
        f"{URL}#join.token._w",
        f"{URL}#join.token.G10wO3RpdGxlBw",  # an escape sequence
        f"{URL}#join.token.{'QUFB' * 1000}",
        "javascript:alert(1)#join.token.VGhlIHRyaXA",
        "https://entativa.example/\x1b[2J#join.token.VGhlIHRyaXA",
        "https://entativa.example/a b#join.token.VGhlIHRyaXA",
    ],
)
def test_what_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invitation to a group"):
        InvitationLink.parse(text)
