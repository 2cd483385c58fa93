"""What responses share: Location, no redirects, look-up by id, and what the OpenAPI document says of all that."""

from typing import Any

from tests.support.environment import Environment

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
        found = await ada.get(answer.headers["location"])
        assert (found.status_code, found.json()["id"]) == (200, answer.json()["id"])
    asked = await ada.post("/friends/requests", json={"username": "bob"})
    assert (await ada.delete(asked.headers["location"])).status_code == 204
    assert (await bob.get("/friends/requests")).json()["items"] == []


async def test_a_list_is_its_owners_alone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    made = (await ada.post("/lists", json={"name": "Climbing"})).json()
    assert (await ada.get(f"/lists/{made['id']}")).json() == made
    assert (await bob.get(f"/lists/{made['id']}")).status_code == 404
    assert (await entativa.anonymous.get(f"/lists/{made['id']}")).status_code == 401


async def test_an_address_with_a_slash_at_its_end_is_another_one(entativa: Environment) -> None:
    for path in ("/auth/log-in/", "/posts/", "/health/live/"):
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
    document = (await vignette.client.get("/openapi.json")).json()

    def operation(path: str, method: str) -> dict[str, Any]:
        found: dict[str, Any] = document["paths"][path][method]
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
