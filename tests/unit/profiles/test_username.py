"""Valid usernames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Invalid
from features.profiles.model import canonical_username
from features.profiles.policy import ProfilePolicy

RESERVED = ProfilePolicy().reserved_usernames


@pytest.mark.parametrize("username", ["ada", "a_b", "_ada_", "ada.lovelace", "1815", "x" * 30])
def test_usernames_that_are_fine(username: str) -> None:
    assert canonical_username(username, reserved=RESERVED) == username


def test_spelling_does_not_matter() -> None:
    assert canonical_username("Ada.LOVELACE") == "ada.lovelace"


@pytest.mark.parametrize(
    "username",
    [
        "",
        "ab",
        "x" * 31,
        ".ada",
        "ada.",
        "a..b",
        "...",
        "ada lovelace",
        "ada\n",
        "ádá",
        "ada-l",
        "K\u212aK",
        "@ada",
        "a\x00b",
    ],
)
def test_usernames_that_cannot_be(username: str) -> None:
    with pytest.raises(Invalid) as refusal:
        canonical_username(username)
    assert refusal.value.field == "username"


@pytest.mark.parametrize("username", ["admin", "Support", "ROOT"])
def test_reserved_usernames(username: str) -> None:
    with pytest.raises(Invalid) as refusal:
        canonical_username(username, reserved=RESERVED)
    assert refusal.value.code == "reserved_username"


def test_every_reserved_name_would_be_a_username() -> None:
    """A reserved name that nobody can take anyway would be a slip of the pen."""
    assert all(canonical_username(name) == name for name in RESERVED)


@given(st.text(st.sampled_from("aZ09_.-é \n"), max_size=32))
def test_what_is_accepted_is_in_its_final_form(text: str) -> None:
    try:
        username = canonical_username(text)
    except Invalid:
        return
    assert canonical_username(username) == username
    assert 3 <= len(username) <= 30
    assert set(username) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.")
