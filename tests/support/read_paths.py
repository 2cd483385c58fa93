"""Every GET of the OpenAPI documents, in one table: what it shows, where each relationship and audience is tried on it,
and who sees an account there, in each of its states. Addresses of media are among them.

A GET that is new to a document needs a row: `test_every_get_has_a_row` fails without.
`tests/integration/test_every_get.py` tries the states of accounts on all rows, and the modules that rows name the
relationships and audiences."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

ANONYMOUS = "anonymous"
EVERYBODY = (ANONYMOUS, "mia", "bob")


class Tried(StrEnum):
    """Where every relationship and audience is tried on what a path shows."""

    ANSWERS = "test_privacy_posts.py: it answers 200 to who may see the post, and 404 to others"
    LISTS = "test_privacy_posts.py: it lists the post for who may see it"
    APART = "test_privacy_posts.py: in a check of its own"
    STORIES = "test_privacy_stories.py"
    STORY_VIDEOS = "videos/test_story_videos.py"
    COLLECTIONS = "test_collections.py"
    SHARE_LINKS = "test_share_links.py"
    POST_MEDIA = "test_post_media.py"
    POST_VIDEOS = "videos/test_post_videos.py"

    @property
    def module(self) -> str:
        """The test, below tests/integration."""
        return self.value.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ReadPath:
    """A row. `seen` has who sees ada there, and by which request; empty: the path shows no other account, and `request`
    is one of bob's. Requests name attributes of the scenario of test_every_get.py, as `{s.post_id}`."""

    tried: Tried | None = None
    """None: nothing there has an audience."""
    seen: tuple[tuple[str, str], ...] = ()
    request: str = ""
    own: str = ""
    """A request of ada's, if she does not make the first of these."""
    signed_in: bool = True
    """Whether it takes an access token."""
    address: bool = False
    """Whether it is an address of a file, which needs none: ada's tokens make no difference."""


def _by(readers: tuple[str, ...], *requests: str, tried: Tried | None = None, own: str = "") -> ReadPath:
    return ReadPath(tried, tuple((reader, request) for request in requests for reader in readers), own=own)


def _public(*requests: str, tried: Tried | None = None) -> ReadPath:
    return _by(EVERYBODY, *requests, tried=tried)


def _file(request: str, tried: Tried | None = None) -> ReadPath:
    return ReadPath(tried, tuple((reader, request) for reader in EVERYBODY), address=True)


def _bobs(request: str, own: str = "") -> ReadPath:
    return ReadPath(request=request, own=own)


_POSTS: dict[str, ReadPath] = {
    "/posts/{post_id}": _public("/posts/{s.post_id}", "/posts/{s.answer_id}", tried=Tried.ANSWERS),
    "/posts/{post_id}/comments": _public("/posts/{s.answer_id}/comments", tried=Tried.ANSWERS),
    "/posts/{post_id}/commenters": _public("/posts/{s.post_id}/commenters", tried=Tried.ANSWERS),
    "/comments/{comment_id}": _public("/comments/{s.comment_ids[0]}", tried=Tried.ANSWERS),
    "/comments/{comment_id}/replies": _public("/comments/{s.comment_ids[1]}/replies", tried=Tried.ANSWERS),
    "/comments/{comment_id}/reactions": _public("/comments/{s.comment_ids[1]}/reactions", tried=Tried.ANSWERS),
    "/posts/{post_id}/reactions": _public("/posts/{s.answer_id}/reactions", tried=Tried.ANSWERS),
    "/posts/{post_id}/reposts": _public("/posts/{s.post_id}/reposts", tried=Tried.ANSWERS),
    "/posts/{post_id}/quotes": _public("/posts/{s.post_id}/quotes", tried=Tried.ANSWERS),
    "/posts/{post_id}/history": _public("/posts/{s.post_id}/history", tried=Tried.LISTS),
    "/profiles/{username}/posts": _public("/profiles/ada/posts", tried=Tried.LISTS),
    "/hashtags/{tag}/posts": _public("/hashtags/lisbon/posts", tried=Tried.LISTS),
    "/references/{reference}": _by(("mia", "bob"), "{s.reference}", tried=Tried.LISTS),
    "/feed": _by(("bob",), "/feed", tried=Tried.APART),
    "/hashtags/{tag}": ReadPath(Tried.APART, request="/hashtags/lisbon"),
    "/saved-posts": _by(("bob",), "/saved-posts", tried=Tried.APART),
    "/saved-posts/{post_id}": _by(("bob",), "/saved-posts/{s.post_id}", tried=Tried.APART, own="/collections"),
    "/collections/{collection_id}/posts": _by(
        ("bob",), "/collections/{s.collection_id}/posts", tried=Tried.COLLECTIONS, own="/collections"
    ),
    "/shared/{token}": _public("{s.shared}", tried=Tried.SHARE_LINKS),
    "/posts/{post_id}/media": _public("/posts/{s.post_id}/media", tried=Tried.POST_MEDIA),
}
_STORIES: dict[str, ReadPath] = {
    "/stories/{story_id}": _public("/stories/{s.story_id}", tried=Tried.STORIES),
    "/profiles/{username}/stories": _public("/profiles/ada/stories", tried=Tried.STORIES),
    "/stories/rings": _by(("bob",), "/stories/rings", tried=Tried.STORIES),
    "/highlights/{highlight_id}": _public("/highlights/{s.highlight_id}", tried=Tried.STORIES),
    "/highlights/{highlight_id}/stories": _public("/highlights/{s.highlight_id}/stories", tried=Tried.STORIES),
    "/profiles/{username}/highlights": _public("/profiles/ada/highlights", tried=Tried.STORIES),
    "/stories/{story_id}/viewers": _by(
        ("bob",), "/stories/{s.bobs_story_id}/viewers", own="/stories/{s.story_id}/viewers"
    ),
    "/stories/archive": _bobs("/stories/archive"),
}
_FILES: dict[str, ReadPath] = {
    "/media-files/{token}/{name}": _file("{s.file}"),  # whoever has the address: its owner's alone
    "/media-files/{token}/stream/{name}": _file("{s.stream}"),
    "/post-media/{token}/{name}": _file("{s.post_file}", Tried.POST_MEDIA),
    "/public-media/{media_id}/{epoch}/{name}": _file("{s.public_file}", Tried.POST_MEDIA),
    "/post-media/{token}/stream/{name}": _file("{s.post_stream}", Tried.POST_VIDEOS),
    "/public-media/{media_id}/{epoch}/stream/{name}": _file("{s.public_stream}", Tried.POST_VIDEOS),
    "/story-media/{token}/{name}": _file("{s.story_file}", Tried.STORIES),
    "/story-media/{token}/stream/{name}": _file("{s.story_stream}", Tried.STORY_VIDEOS),
    "/profile-media/{media_id}/{name}": _file("{s.profile_file}"),  # everybody's
}
_PEOPLE: dict[str, ReadPath] = {
    "/profiles/{username}": _public("/profiles/ada"),
    "/people/{person_id}": _public("/people/{s.ada.id}"),
    "/people/{person_id}/keys": _by(("mia", "bob"), "/people/{s.ada.id}/keys"),
    "/conversations": _by(("bob",), "/conversations"),
    "/conversations/{conversation_id}": _by(("bob",), "/conversations/{s.conversation_id}"),
    "/blocks": _by(("eve",), "/blocks"),
    "/mutes": _by(("carol",), "/mutes"),
    "/close-friends": _by(("bob",), "/close-friends"),
    "/lists": _by(("bob",), "/lists"),
    "/lists/{list_id}": _by(("bob",), "/lists/{s.list_id}", own="/lists"),
    "/lists/{list_id}/members": _by(("bob",), "/lists/{s.list_id}/members", own="/lists"),
}
_FRIENDS: dict[str, ReadPath] = {
    "/friends": _by(("bob",), "/friends"),
    "/friends/requests": ReadPath(
        seen=(
            ("carol", "/friends/requests?direction=incoming"),
            ("dan", "/friends/requests?direction=outgoing"),
        )
    ),
    "/friends/requests/{request_id}": ReadPath(
        seen=(
            ("bob", "/friends/requests/{s.requests[0]}"),
            ("bob", "/friends/requests/{s.requests[1]}"),
            ("carol", "/friends/requests/{s.requests[2]}"),
            ("dan", "/friends/requests/{s.requests[3]}"),
        )
    ),
}
_FOLLOWS: dict[str, ReadPath] = {
    "/profiles/{username}/followers": _by(("mia",), "/profiles/bob/followers", "/profiles/ada/followers"),
    "/profiles/{username}/following": _by(("mia",), "/profiles/bob/following", "/profiles/ada/following"),
}
_OWN: dict[str, ReadPath] = {
    **{path: _bobs(path) for path in ("/profiles/me", "/auth/sessions", "/auth/audit", "/devices", "/device-links")},
    **{path: _bobs(path) for path in ("/key-directory", "/settings", "/settings/schema", "/comment-filters")},
    **{path: _bobs(path) for path in ("/media", "/collections", "/share-links", "/drafts")},
    # Ada has no device, no collection, no link that is her own, and no export.
    **{path: _bobs(path, own="/devices") for path in ("/messaging/inbox", "/prekeys", "/key-packages")},
    **{path: _bobs(path, own="/profiles/me") for path in ("/account/export", "/account/export/content")},
    "/devices/{number}": _bobs("/devices/1", own="/devices"),
    "/backup": _bobs("/backup"),
    "/backup/segments/{digest}": _bobs(f"/backup/segments/{'0' * 64}", own="/backup"),
    "/attachments/{attachment_id}": _bobs(f"/attachments/{UUID(int=0)}", own="/devices"),
    "/attachments/{attachment_id}/content": _bobs(f"/attachments/{UUID(int=0)}/content", own="/devices"),
    # Neither is in a group; tests/integration/groups has those who are.
    "/groups": _bobs("/groups"),
    "/groups/{group_id}": _bobs(f"/groups/{UUID(int=0)}", own="/groups"),
    "/groups/{group_id}/group-info": _bobs(f"/groups/{UUID(int=0)}/group-info", own="/groups"),
    "/groups/{group_id}/trees/{epoch}": _bobs(f"/groups/{UUID(int=0)}/trees/1", own="/groups"),
    "/groups/{group_id}/invitations": _bobs(f"/groups/{UUID(int=0)}/invitations", own="/groups"),
    "/group-join-requests": _bobs("/group-join-requests"),
    "/groups/{group_id}/messages/{seq}": _bobs(f"/groups/{UUID(int=0)}/messages/1", own="/groups"),
    "/collections/{collection_id}": _bobs("/collections/{s.collection_id}", own="/collections"),
    "/share-links/{link_id}": _bobs("/share-links/{s.link_id}", own="/collections"),
    "/key-directory/consistency": _bobs("/key-directory/consistency?old_size=1&size=1"),
    "/key-directory/epochs": _bobs("/key-directory/epochs?first=0&size=1"),
    # Hers: bob is told that there is no such thing.
    "/device-links/{link_id}": _bobs("/device-links/{s.device_link_id}", own="/devices"),
    "/drafts/{draft_id}": _bobs("/drafts/{s.draft_id}"),
    "/media/{media_id}": _bobs("/media/{s.media_id}"),
    "/media/{media_id}/content": _bobs("/media/{s.media_id}/content"),
    "/media/{media_id}/video": _bobs("/media/{s.video_id}/video"),
    **{
        path: ReadPath(request=f"http://test{path}", signed_in=False)
        for path in ("/health/live", "/health/ready", "/.well-known/jwks.json")
    },
}


def read_paths(features: Collection[str]) -> Mapping[str, ReadPath]:
    """Returns the rows of a brand, which has these features, by their paths without the version."""
    brands_own = _FRIENDS if "friends" in features else _FOLLOWS
    return {**_POSTS, **_STORIES, **_FILES, **_PEOPLE, **brands_own, **_OWN}
