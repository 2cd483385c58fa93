"""What responses share: Location, no redirects, look-up by id, and what the OpenAPI document says of all that."""

from dataclasses import replace
from typing import Any

from tests.support.environment import Environment, open_client

POST = {"text": "hello"}


async def test_location_of_what_was_created(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    bob = await entativa.member("bob")
    made = [
        await ada.post("/posts", json=POST, headers={"Idempotency-Key": "key-00001"}),
        await ada.post("/posts", json=POST, headers={"Idempotency-Key": "key-00001"}),
        await ada.post("/lists", json={"name": "Climbing"}),
    ]
    assert [answer.headers.get("idempotency-replayed") for answer in made] == [None, "true", None]
    for answer in made:
        found = await ada.get(f"http://test{answer.headers['location']}")
        assert (found.status_code, found.json()["id"]) == (200, answer.json()["id"])
    asked = await ada.post("/friends/requests", json={"username": "bob"})
    assert (await ada.delete(f"http://test{asked.headers['location']}")).status_code == 204
    assert (await bob.get("/friends/requests")).json()["items"] == []


async def test_a_list_is_its_owners_alone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    made = (await ada.post("/lists", json={"name": "Climbing"})).json()
    assert (await ada.get(f"/lists/{made['id']}")).json() == made
    assert (await bob.get(f"/lists/{made['id']}")).status_code == 404
    assert (await entativa.anonymous.get(f"/lists/{made['id']}")).status_code == 401


async def test_an_address_with_a_slash_at_its_end_is_another_one(entativa: Environment) -> None:
    for path in ("/auth/log-in/", "/posts/", "http://test/health/live/"):
        answer = await entativa.anonymous.post(path, json={"login": "ada", "password": "secret"})
        assert answer.status_code == 404, "a redirect would have the client send the body again"
        assert "location" not in answer.headers


async def test_people_are_found_by_id_as_by_name(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    assert (await ada.get(f"/people/{bob.id}")).json() == (await ada.get("/profiles/bob")).json()
    assert (await vignette.anonymous.get(f"/people/{bob.id}")).json()["relationship"] is None
    assert (await ada.get(f"/people/{ada.id}")).json()["username"] == "ada"
    await bob.put("/blocks/ada")
    hidden = await ada.get(f"/people/{bob.id}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "no_such_person")
    assert (await ada.get("/people/not-an-id")).status_code == 422


async def test_putting_answers_the_relationship(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    for path in ("/follows/bob", "/mutes/bob", "/close-friends/bob"):
        answer = await ada.put(path)
        assert answer.json() == (await ada.get(f"/people/{bob.id}")).json()["relationship"], path
    assert {"following": True, "muted": True, "close_friend": True}.items() <= answer.json().items()


async def test_problem_types_are_of_the_brand(vignette: Environment) -> None:
    assert (await vignette.anonymous.get("/feed")).json()["type"] == "urn:vignette:problem:sign_in_required"


async def test_the_document_declares_optional_sign_in_headers_and_codes(vignette: Environment) -> None:
    document = await vignette.document()

    def operation(path: str, method: str) -> dict[str, Any]:
        found: dict[str, Any] = document["paths"][f"/v1{path}"][method]
        return found

    assert operation("/posts/{post_id}", "get")["security"] == [{}, {"AccessToken": []}]
    assert operation("/posts", "post")["security"] == [{"AccessToken": []}]
    assert "security" not in operation("/auth/log-in", "post")
    created = operation("/posts", "post")["responses"]["201"]["headers"]
    assert created.keys() == {"X-Trace-Id", "Location", "Idempotency-Replayed"}
    assert "Retry-After" in operation("/feed", "get")["responses"]["429"]["headers"]
    codes = document["components"]["schemas"]["FollowsFollowProblem"]["allOf"][1]["properties"]["code"]["enum"]
    assert {"no_such_person", "yourself", "too_many_followed", "rate_limited", "session_ended"} <= set(codes)
    assert not {"wrong_credentials", "too_many_friends", "bad_json"} & set(codes)


async def test_what_is_read_has_an_etag(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = (await ada.post("/posts", json=POST)).json()
    for path in (f"/posts/{post['id']}", "/profiles/ada", "/profiles/me", "/profiles/ada/posts", "/lists", "/friends"):
        first = await ada.get(path)
        tag = first.headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            again = await ada.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        assert (await ada.get(path, headers={"If-None-Match": '"other"'})).json() == first.json()
        assert first.headers["cache-control"] == "private, no-cache"
    await ada.patch(f"/posts/{post['id']}", json={"text": "bye"})
    changed = await ada.get(f"/posts/{post['id']}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["text"]) == (200, "bye")
    refused = await entativa.anonymous.get("/profiles/me", headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
    assert "etag" not in (await ada.get("/auth/sessions")).headers


async def test_head_is_get_without_the_body(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for path in ("/profiles/ada", "/feed", "http://test/health/live", "/profiles/nobody", "http://test/openapi.json"):
        read, head = await ada.get(path), await ada.request("HEAD", path)
        assert (head.status_code, head.content) == (read.status_code, b""), path
        for name in ("content-type", "etag"):
            assert head.headers.get(name) == read.headers.get(name)
        if path != "/profiles/nobody":  # whose body names the request
            assert head.headers["content-length"] == str(len(read.content))
    assert (await ada.request("HEAD", "/auth/log-in")).status_code == 405
    assert (await ada.request("HEAD", "/nothing-here")).status_code == 404


async def test_options_lists_the_methods_of_a_path(entativa: Environment) -> None:
    for path, allowed in (
        ("/profiles/me", "GET, HEAD, OPTIONS, PATCH"),
        ("/lists", "GET, HEAD, OPTIONS, POST"),
        ("/auth/log-in", "OPTIONS, POST"),
    ):
        answer = await entativa.anonymous.request("OPTIONS", path)
        assert (answer.status_code, answer.headers["allow"]) == (204, allowed)
    assert (await entativa.anonymous.request("OPTIONS", "/nothing-here")).status_code == 404


async def test_only_pages_of_configured_origins_may_use_the_api(entativa: Environment) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    plain = await entativa.anonymous.request("OPTIONS", "/mutes/bob", headers=preflight)
    assert "access-control-allow-origin" not in plain.headers
    settings = entativa.settings.model_copy(update={"cors_origins": ("https://app.example",)})
    async with open_client(replace(entativa.platform, settings=settings)) as client:
        allowed = await client.options("/mutes/bob", headers=preflight)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        refused = await client.options("/mutes/bob", headers=preflight | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
        read = await client.get("/feed", headers={"Origin": "https://app.example"})
        assert (read.status_code, read.headers["access-control-allow-origin"]) == (401, "https://app.example")
        assert "X-Trace-Id" in read.headers["access-control-expose-headers"]
        refusal = await client.get("/people?after=%00", headers={"Origin": "https://app.example"})
        assert (refusal.status_code, refusal.headers["access-control-allow-origin"]) == (400, "https://app.example")
