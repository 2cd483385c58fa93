"""A brand with follows."""

from api_client import AuthenticatedClient
from api_client.api.follows import follows_follow
from api_client.models import Relationship


def connect(one: AuthenticatedClient, _other: AuthenticatedClient, _one_username: str, other_username: str) -> None:
    """Makes one person a follower of another."""
    followed = follows_follow.sync(other_username, client=one)
    assert isinstance(followed, Relationship), followed
    assert followed.following is True
