"""A brand with friends."""

from api_client import AuthenticatedClient
from api_client.api.friends import friends_accept, friends_ask
from api_client.models import Friend, FriendRequest, FriendRequestBody, FriendRequestState


def connect(one: AuthenticatedClient, other: AuthenticatedClient, one_username: str, other_username: str) -> None:
    """Makes two people friends."""
    asked = friends_ask.sync(client=one, body=FriendRequestBody(username=other_username))
    assert isinstance(asked, FriendRequest), asked
    assert asked.state is FriendRequestState.PENDING
    accepted = friends_accept.sync(asked.id, client=other)
    assert isinstance(accepted, Friend), accepted
    assert accepted.person.username == one_username
