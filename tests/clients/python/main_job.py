"""The main job through a client that openapi-python-client makes of a brand's document.

``python main_job.py ADDRESS_OF_THE_BRAND``

Writes the address of each mail that it waits for, and reads the code in it from its input.
"""

import sys
from http import HTTPStatus
from typing import TypeVar
from uuid import uuid4

from api_client import AuthenticatedClient, Client
from api_client.api.auth import auth_confirm, auth_log_in, auth_sign_up
from api_client.api.feed import feed_newest
from api_client.api.posts import posts_create, posts_delete, posts_get
from api_client.api.profiles import profiles_me
from api_client.models import (
    Audience,
    ConfirmBody,
    LogIn,
    LogInBody,
    MentionEntity,
    Post,
    PostBody,
    PostPage,
    PostsCreateProblem,
    PostsGetProblem,
    PostsGetProblemCode,
    Profile,
    SignUp,
    SignUpBody,
)
from connect import connect

PASSWORD = "correct horse battery staple"

T = TypeVar("T")


def expect(kind: type[T], answer: object) -> T:
    """Returns a parsed answer, which must be of this class."""
    assert isinstance(answer, kind), answer
    return answer


def sign_up(client: Client, username: str) -> LogIn:
    email = f"{username}@example.org"
    wanted = SignUpBody(email=email, username=username, name="A Person", password=PASSWORD)
    requested = expect(SignUp, auth_sign_up.sync(client=client, body=wanted))
    print(email, flush=True)
    confirmation = ConfirmBody(sign_up_id=requested.sign_up_id, code=input())
    return expect(LogIn, auth_confirm.sync(client=client, body=confirmation))


def log_in(client: Client, address: str, username: str) -> AuthenticatedClient:
    tokens = expect(LogIn, auth_log_in.sync(client=client, body=LogInBody(login=username, password=PASSWORD)))
    return AuthenticatedClient(address, token=tokens.access_token, raise_on_unexpected_status=True)


def main_job(address: str) -> None:
    anonymous = Client(address, raise_on_unexpected_status=True)
    surname = f"x{uuid4().hex[:8]}"  # a hashtag of digits alone is none
    grace, linus = f"grace_{surname}", f"linus_{surname}"
    account_id = sign_up(anonymous, grace).account_id
    sign_up(anonymous, linus)
    reader, author = log_in(anonymous, address, grace), log_in(anonymous, address, linus)
    assert expect(Profile, profiles_me.sync(client=reader)).id == account_id

    connect(reader, author, grace, linus)
    key = str(uuid4())
    draft = PostBody(text=f"Hello @{grace}, from #{surname}", audience=Audience.CONNECTIONS)
    post = expect(Post, posts_create.sync(client=author, body=draft, idempotency_key=key))
    again = expect(Post, posts_create.sync(client=author, body=draft, idempotency_key=key))
    assert again.id == post.id
    names = [entity.username if isinstance(entity, MentionEntity) else entity.tag for entity in post.entities]
    assert names == [grace, surname]

    feed = expect(PostPage, feed_newest.sync(client=reader, limit=10))
    assert feed.next_cursor is None
    assert [item.text for item in feed.items] == [draft.text]

    assert posts_delete.sync_detailed(post.id, client=author).status_code == HTTPStatus.NO_CONTENT
    # Not as a stranger: the generator wants an authenticated client where signing in is optional, too.
    gone = expect(PostsGetProblem, posts_get.sync(post.id, client=reader))
    assert gone.code is PostsGetProblemCode.NO_SUCH_POST
    refused = expect(PostsCreateProblem, posts_create.sync(client=author, body=PostBody(text="")))
    assert refused.errors
    assert refused.errors[0].field == "text"


if __name__ == "__main__":
    main_job(sys.argv[1])
