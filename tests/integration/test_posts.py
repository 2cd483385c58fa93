"""Posts over HTTP: publishing, reading, editing with history, deleting, hashtags, mentions, paging."""

from datetime import timedelta
from typing import Any

from api.post_views import PostModel, PostPage
from api.posts import HashtagModel
from api.version_views import VersionPage
from tests.support.environment import Environment
from tests.support.member import Member


async def _publish(author: Member, text: str, **more: Any) -> dict[str, Any]:
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def test_a_post_comes_back_as_it_was_published(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await entativa.member("bob")
    answer = await ada.post("/posts", json={"text": "  Hi #Café,\r\n👋 @BOB! ", "audience": "public"})
    assert answer.status_code == 201
    assert entativa.statements(answer) == 3, "the session, who is mentioned, the post with its event"
    post = answer.json()
    assert post["text"] == "Hi #Café,\n👋 @BOB!"
    assert post["author"] == {"id": ada.id, "username": "ada", "name": "Ada", "avatar": None}
    assert (post["audience"], post["list_id"], post["edited_at"]) == ("public", None, None)
    tag, mention = post["entities"]
    assert tag == {"kind": "hashtag", "tag": "café", "start": 3, "end": 8}
    assert (mention["kind"], mention["username"]) == ("mention", "bob")
    assert post["text"][mention["start"] : mention["end"]] == "@BOB"
    read = await entativa.anonymous.get(f"/posts/{post['id']}")
    assert read.content == answer.content
    assert entativa.statements(read) == 2


async def test_answers_are_what_the_document_says(entativa: Environment) -> None:
    """Responses are serialised without pydantic, so they are held against the models here, to the byte."""
    ada = await entativa.member("ada")
    list_id = (await ada.post("/lists", json={"name": "ours"})).json()["id"]
    await _publish(ada, "#one @ada", audience="list", list_id=list_id)
    post = await _publish(ada, "#two")
    entativa.clock.advance(timedelta(seconds=1, microseconds=-entativa.clock().microsecond))
    await ada.patch(f"/posts/{post['id']}", json={"text": "#three"})
    await entativa.drain()
    one = await ada.get(f"/posts/{post['id']}")
    assert PostModel.model_validate_json(one.content).model_dump(mode="json") == one.json()
    for path in ("/feed", "/profiles/ada/posts", "/hashtags/one/posts", "/feed?limit=1"):
        page = await ada.get(path)
        assert page.json()["items"]
        assert PostPage.model_validate_json(page.content).model_dump(mode="json") == page.json()
    history = await ada.get(f"/posts/{post['id']}/history")
    assert VersionPage.model_validate_json(history.content).model_dump(mode="json") == history.json()
    hashtag = await ada.get("/hashtags/three")
    assert HashtagModel.model_validate_json(hashtag.content).model_dump(mode="json") == hashtag.json()


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"text": ""}, "text"),
    ({"text": " \n\t "}, "text"),
    ({"text": "\u200b"}, "text"),
    ({"text": "\u3164 \u2800"}, "text"),
    ({"text": "x" * 10_001}, "text"),
    ({"text": "x" * 1_000_000}, "text"),
    ({"text": "a\u0000b"}, "text"),
    ({"text": "a\u001bb"}, "text"),
    ({"text": " ".join(f"#a{n}" for n in range(61))}, "text"),
    ({"text": " ".join(f"@a{n}b" for n in range(61))}, "text"),
    ({"text": 5}, "text"),
    ({}, "text"),
    ({"text": "x", "audience": "everybody"}, "audience"),
    ({"text": "x", "audience": "list"}, "list_id"),
    ({"text": "x", "list_id": "00000000-0000-7000-8000-000000000000"}, "list_id"),
    ({"text": "x", "audience": "list", "list_id": "00000000-0000-7000-8000-000000000000"}, "list_id"),
    ({"text": "x", "colour": "red"}, "colour"),
]


async def test_what_cannot_be_published(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for body, field in UNFIT:
        answer = await ada.post("/posts", json=body)
        assert answer.status_code == 422, body
        assert field in {error["field"] for error in answer.json()["errors"]}


async def test_texts_at_the_edge(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for text in (
        "x" * 10_000,
        "👩‍🚀" * 3_333,
        "\U0001fae9",  # newer than the Unicode tables of our Python
        "a\tb\nc",
        "\u202eabc",
        "#" * 10_000,
    ):
        assert (await _publish(ada, text))["text"] == text
    surrogate = await ada.request("POST", "/posts", content=b'{"text": "\\ud800"}')
    assert surrogate.status_code == 422


async def test_a_list_of_somebody_else_is_no_audience(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    theirs = (await bob.post("/lists", json={"name": "bobs"})).json()["id"]
    answer = await ada.post("/posts", json={"text": "x", "audience": "list", "list_id": theirs})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_list")
    post = await _publish(ada, "x")
    answer = await ada.patch(f"/posts/{post['id']}", json={"audience": "list", "list_id": theirs})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_list")
    assert (await ada.get(f"/posts/{post['id']}/history")).json()["items"][0]["audience"] == "public"


async def test_publishing_needs_an_account(entativa: Environment) -> None:
    for answer in (
        await entativa.anonymous.post("/posts", json={"text": "x"}),
        await entativa.anonymous.get("/feed"),
    ):
        assert answer.status_code == 401


async def test_an_edit_keeps_what_was_there(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, "one #a #b")
    path = f"/posts/{post['id']}"
    for text in ("two #b #c", "three"):
        entativa.clock.advance(timedelta(minutes=1))
        edited = await ada.patch(path, json={"text": text})
        assert edited.status_code == 200
        assert edited.json()["edited_at"] > post["created_at"]
    history = (await entativa.anonymous.get(f"{path}/history")).json()
    assert [item["text"] for item in history["items"]] == ["three", "two #b #c", "one #a #b"]
    assert [item["created_at"] for item in history["items"]] == sorted(
        (item["created_at"] for item in history["items"]), reverse=True
    )
    assert history["items"][-1]["created_at"] == post["created_at"]
    assert [entity["tag"] for entity in history["items"][1]["entities"]] == ["b", "c"]
    assert (await ada.get("/hashtags/b/posts")).json()["items"] == []


async def test_history_in_pages(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, "0")
    for number in range(1, 5):
        await ada.patch(f"/posts/{post['id']}", json={"text": str(number)})
    texts, cursor = [], None
    while True:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await ada.get(f"/posts/{post['id']}/history", params=parameters)).json()
        texts += [item["text"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert texts == ["4", "3", "2", "1", "0"]


async def test_an_edit_that_changes_nothing_is_none(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, "same #tag")
    for body in ({}, {"text": "same #tag"}, {"audience": "public"}, {"text": None}):
        answer = await ada.patch(f"/posts/{post['id']}", json=body)
        assert (answer.status_code, answer.json()) == (200, post)
    assert len((await ada.get(f"/posts/{post['id']}/history")).json()["items"]) == 1


async def test_what_was_only_mine_stays_mine_when_the_post_goes_public(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, "draft", audience="only_me")
    path = f"/posts/{post['id']}"
    await ada.patch(path, json={"text": "final"})
    await ada.patch(path, json={"audience": "public"})
    await ada.patch(path, json={"text": "corrected"})
    everybody = (await entativa.anonymous.get(f"{path}/history")).json()["items"]
    assert [item["text"] for item in everybody] == ["corrected", "final"]
    mine = (await ada.get(f"{path}/history")).json()["items"]
    assert [item["text"] for item in mine] == ["corrected", "final", "draft"]


async def test_a_deleted_post_is_gone_everywhere(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, "bye #tag")
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
    for path in (f"/posts/{post['id']}", f"/posts/{post['id']}/history"):
        assert (await ada.get(path)).status_code == 404
    for path in ("/feed", "/profiles/ada/posts", "/hashtags/tag/posts"):
        assert (await ada.get(path)).json()["items"] == []
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 404
    assert (await ada.patch(f"/posts/{post['id']}", json={"text": "x"})).status_code == 404


async def test_a_repeated_request_publishes_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    headers = {"Idempotency-Key": "12345678-once"}
    first, second = [await ada.post("/posts", json={"text": "once"}, headers=headers) for _ in range(2)]
    assert first.content == second.content
    assert len((await ada.get("/feed")).json()["items"]) == 1


async def test_mentions_name_only_whom_writer_and_reader_may_see(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    assert (await eve.put("/blocks/ada")).is_success
    post = await _publish(ada, "@bob @eve @nobody_here")
    assert [entity["username"] for entity in post["entities"]] == ["bob"]

    assert (await bob.put("/blocks/eve")).is_success
    assert (await eve.delete("/blocks/ada")).is_success
    seen_by_eve = (await eve.get(f"/posts/{post['id']}")).json()
    assert seen_by_eve["entities"] == []
    assert (await eve.get(f"/posts/{post['id']}/history")).json()["items"][0]["entities"] == []
    seen_by_ada = (await ada.get(f"/posts/{post['id']}")).json()
    assert [entity["username"] for entity in seen_by_ada["entities"]] == ["bob"]


async def test_hashtags_are_found_in_any_spelling_newest_first(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    for author, text in ((ada, "1 #Straße"), (bob, "2 #strasse #strasse"), (ada, "3 #other"), (ada, "4 #STRASSE")):
        entativa.clock.advance(timedelta(seconds=1))
        await _publish(author, text)
    for spelling in ("strasse", "STRASSE", "Straße", "%23straße"):
        page = (await entativa.anonymous.get(f"/hashtags/{spelling}/posts")).json()
        assert [item["text"][0] for item in page["items"]] == ["4", "2", "1"]
    for wrong in ("a%20b", "1", "a-b", "%23"):
        answer = await entativa.anonymous.get(f"/hashtags/{wrong}/posts")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tag")


async def test_a_changed_audience_moves_a_post_among_those_with_its_hashtag(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada, "#lisbon", audience="only_me")
    readers = (entativa.anonymous, bob, ada)

    async def seen() -> list[int]:
        return [len((await reader.get("/hashtags/lisbon/posts")).json()["items"]) for reader in readers]

    assert await seen() == [0, 0, 1]
    await ada.patch(f"/posts/{post['id']}", json={"audience": "public"})
    assert await seen() == [1, 1, 1]
    await ada.patch(f"/posts/{post['id']}", json={"audience": "close_friends"})
    assert await seen() == [0, 0, 1]
    await ada.put("/close-friends/bob")
    assert await seen() == [0, 1, 1]


async def test_a_profile_lists_its_posts_in_pages(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for number in range(5):
        await _publish(ada, f"{number} @ada #all")
    for path in ("/profiles/ADA/posts", "/hashtags/all/posts"):
        texts: list[str] = []
        parameters: dict[str, Any] = {"limit": 2}
        while True:
            answer = await entativa.anonymous.get(path, params=parameters)
            assert entativa.statements(answer) <= 3
            texts += [item["text"] for item in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                break
            parameters["cursor"] = answer.json()["next_cursor"]
        assert sorted(texts) == [f"{number} @ada #all" for number in range(5)]
        assert len(set(texts)) == 5
    assert (await entativa.anonymous.get("/profiles/nobody_here/posts")).status_code == 404


async def test_a_hashtags_count_follows_the_public_posts(entativa: Environment) -> None:
    ada = await entativa.member("ada")

    async def count() -> tuple[int, list[int]]:
        await entativa.drain()
        hashtag = (await entativa.anonymous.get("/hashtags/TAG")).json()
        assert hashtag["tag"] == "tag"
        return hashtag["posts"], [day["posts"] for day in hashtag["days"]]

    assert await count() == (0, [])
    first = await _publish(ada, "#tag #tag")
    second = await _publish(ada, "#tag")
    await _publish(ada, "#tag", audience="connections")
    assert await count() == (2, [2])
    entativa.clock.advance(timedelta(days=1))
    ada = await entativa.log_in("ada")
    third = await _publish(ada, "#Tag")
    assert await count() == (3, [1, 2])
    await ada.patch(f"/posts/{first['id']}", json={"text": "none"})
    assert await count() == (2, [1, 1])
    await ada.patch(f"/posts/{second['id']}", json={"audience": "only_me"})
    assert await count() == (1, [1])
    await ada.delete(f"/posts/{third['id']}")
    assert await count() == (0, [])


async def test_an_event_that_the_log_lost_and_got_again_counts_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await _publish(ada, "#tag")
    await entativa.drain()
    await entativa.platform.redis.flushdb()
    await entativa.drain()
    assert (await ada.get("/hashtags/tag")).json()["posts"] == 1
