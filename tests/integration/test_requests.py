"""What all endpoints share: errors, idempotency, limits, tracing, health, and outages of storage."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.admission import Admissions
from api.transaction import _FORGET
from cluster.alarms import Alarm, raise_alarms
from cluster.redis import open_redis
from deployments.consumers import report_alarms
from features.auth.access_tokens import AccessTokens
from features.identity import Identity
from tests.support.environment import Environment, open_client
from tests.support.member import Member

POST = {"text": "hello", "audience": "public"}


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """The body of an error, checked for the members that every one has (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == status
    assert body["type"] == f"urn:entativa:problem:{body['code']}"
    assert body["trace_id"] == answer.headers["x-trace-id"]
    return body


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b'"text"', 422, "body"),
        (b"[]", 422, "body"),
        (b'{"audience": "public"}', 422, "text"),
        (b'{"text": 7, "audience": "public"}', 422, "text"),
        (b'{"text": "a", "audience": "everybody"}', 422, "audience"),
        (b'{"text": "a\\u0000b", "audience": "public"}', 422, "text"),
        (b'{"text": "a", "audience": "public", "admin": true}', 422, "admin"),
        (json.dumps({"text": "😀" * 10_001, "audience": "public"}).encode(), 422, "text"),
        (json.dumps({"text": "a" * 2_000_000, "audience": "public"}).encode(), 413, None),
    ],
)
async def test_bad_bodies(entativa: Environment, content: bytes, status: int, field: str | None) -> None:
    ada = await entativa.member("ada")
    body = problem(await ada.post("/posts", content=content, headers={"Content-Type": "application/json"}), status)
    if field:
        errors = body["errors"]
        assert isinstance(errors, list)
        assert errors[0]["field"] == field


async def test_body_without_a_length_is_limited_while_it_is_read(entativa: Environment) -> None:
    ada = await entativa.member("ada")

    async def endless() -> object:
        for _ in range(100):
            yield b"x" * 100_000

    problem(await ada.post("/posts", content=endless(), headers={"Content-Type": "application/json"}), 413)


async def test_lone_surrogate_is_refused_by_name(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answer = await ada.post(
        "/posts",
        content=b'{"text": "\\ud800", "audience": "public"}',
        headers={"Content-Type": "application/json"},
    )
    body = problem(answer, 422)
    assert "text" in str(body["errors"])


@pytest.mark.parametrize(
    "path",
    ["/feed?cursor=nonsense", "/feed?cursor=AAAA", "/feed?limit=0", "/feed?limit=many", "/feed?limit=101"],
)
async def test_bad_paging(entativa: Environment, path: str) -> None:
    ada = await entativa.member("ada")
    errors = problem(await ada.get(path), 422)["errors"]
    assert isinstance(errors, list)
    assert errors[0]["field"] in {"cursor", "limit"}


@pytest.mark.parametrize("path", ["/posts/%00", "/profiles/a%00b", "/feed?cursor=%00"])
async def test_nul_in_the_address(entativa: Environment, path: str) -> None:
    ada = await entativa.member("ada")
    problem(await ada.get(path), 400)


async def test_unknown_path_and_method(entativa: Environment) -> None:
    problem(await entativa.anonymous.get("http://test/nothing-here"), 404)
    problem(await entativa.anonymous.put("/feed"), 405)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_bad_tokens(entativa: Environment, token: str) -> None:
    answer = await entativa.anonymous.get("/feed", headers={"Authorization": f"Bearer {token}"})
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


class TestIdempotencyKey:
    async def test_repeats_the_first_answer(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        first, second = [await ada.post("/posts", json=POST, headers={"Idempotency-Key": "key-00001"}) for _ in "12"]
        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert len((await ada.get("/profiles/ada/posts")).json()["items"]) == 1

    async def test_strangers_share_no_key(self, entativa: Environment) -> None:
        answers = [
            await entativa.anonymous.post(
                "/auth/sign-up",
                json={"email": f"{name}@example.org", "username": name, "name": name, "password": "correct horse 27"},
                headers={"Idempotency-Key": "key-00001"},
            )
            for name in ("ada", "bob", "bob")
        ]
        assert {answer.status_code for answer in answers} == {202}, answers[0].text
        assert answers[0].json() != answers[1].json() == answers[2].json()
        assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, None, "true"]

    async def test_at_the_same_moment(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        answers = await asyncio.gather(
            *(ada.post("/posts", json=POST, headers={"Idempotency-Key": "key-00002"}) for _ in range(8))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_with_another_body(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        await ada.post("/posts", json=POST, headers={"Idempotency-Key": "key-00003"})
        other = await ada.post("/posts", json={**POST, "text": "bye"}, headers={"Idempotency-Key": "key-00003"})
        assert problem(other, 422)["code"] == "idempotency_key_reused"

    async def test_belongs_to_its_account(self, entativa: Environment) -> None:
        ada, bob = await entativa.member("ada"), await entativa.member("bob")
        ids = [
            (await who.post("/posts", json=POST, headers={"Idempotency-Key": "key-00004"})).json()["id"]
            for who in (ada, bob)
        ]
        assert ids[0] != ids[1]

    async def test_failed_request_can_be_repeated(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        key = {"Idempotency-Key": "key-00005"}
        problem(await ada.post("/posts", json={"text": "", "audience": "public"}, headers=key), 422)
        assert (await ada.post("/posts", json=POST, headers=key)).status_code == 201

    async def test_of_what_was_deleted_since(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        first, other = {"Idempotency-Key": "key-00007"}, {"Idempotency-Key": "key-00008"}
        post = (await ada.post("/posts", json={"text": "a secret"}, headers=first)).json()
        await ada.post("/posts", json=POST, headers=other)
        assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
        stored = await entativa.platform.database.pool.fetch("select body from idempotency_keys where body is not null")
        assert [b"a secret" in row["body"] for row in stored] == [False]
        answer = await ada.post("/posts", json={"text": "a secret"}, headers=first)
        assert problem(answer, 409)["code"] == "deleted_since"
        assert (await ada.post("/posts", json=POST, headers=other)).headers["idempotency-replayed"] == "true"
        assert len((await ada.get("/profiles/ada/posts")).json()["items"]) == 1

    async def test_other_stored_responses_do_not_slow_a_deletion_down(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        key = {"Idempotency-Key": "key-00009"}
        post_id = (await ada.post("/posts", json=POST, headers=key)).json()["id"]
        pool = entativa.platform.database.pool
        await pool.execute(
            "insert into idempotency_keys (scope, key, fingerprint, status, body, created_id, created_at) "
            "select $1, 'key' || number, '', 201, convert_to(repeat('x', 200), 'UTF8'), gen_random_uuid(), now() "
            "from generate_series(1, 20000) as number",
            ada.id,
        )
        await pool.execute("analyze idempotency_keys")
        plan = await pool.fetchval(f"explain (analyze, buffers, format json) {_FORGET}", ada.id, UUID(post_id))
        assert plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"] < 50

    @pytest.mark.parametrize("key", ["short", "x" * 256])
    async def test_of_a_wrong_length(self, entativa: Environment, key: str) -> None:
        ada = await entativa.member("ada")
        problem(await ada.post("/posts", json=POST, headers={"Idempotency-Key": key}), 422)


async def limited(environment: Environment, **limits: int) -> Environment:
    """The same environment with other rate limits."""
    settings = environment.settings.model_copy(
        update={"rate_limits": environment.settings.rate_limits.model_copy(update=limits), "trusted_proxies": 1}
    )
    platform = replace(environment.platform, settings=settings)
    return replace(environment, settings=settings, platform=platform, client=open_client(platform))


class TestRateLimits:
    async def test_per_identity(self, entativa: Environment) -> None:
        ada, bob = await entativa.member("ada"), await entativa.member("bob")
        environment = await limited(entativa, identity_per_minute=60, identity_burst=3)
        ada.client = bob.client = environment.client
        statuses = [(await ada.get("/feed")).status_code for _ in range(8)]
        assert statuses[:4] == [200] * 4
        assert statuses[-1] == 429
        refused = await ada.get("/feed")
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert (await bob.get("/feed")).status_code == 200, "another person is not held up"

    async def test_posting_has_a_limit_of_its_own(self, entativa: Environment) -> None:
        ada, bob = await entativa.member("ada"), await entativa.member("bob")
        environment = await limited(entativa, posts_per_minute=60, posts_burst=2)
        ada.client = bob.client = environment.client
        answers = [await ada.post("/posts", json=POST) for _ in range(6)]
        assert (answers[0].status_code, answers[-1].status_code) == (201, 429)
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        edits = [await ada.patch(f"/posts/{answers[0].json()['id']}", json={"text": f"{n}"}) for n in range(3)]
        assert edits[-1].status_code == 429, "an edit reaches as many readers"
        assert (await ada.get("/feed")).status_code == 200
        assert (await bob.post("/posts", json=POST)).status_code == 201, "another person is not held up"

    async def test_per_address(self, entativa: Environment) -> None:
        environment = await limited(entativa, address_per_minute=60, address_burst=2)
        nobody = Member(environment.client)

        async def ask(address: str) -> int:
            return (await nobody.get("/profiles/ada", headers={"X-Forwarded-For": address})).status_code

        statuses = [await ask("203.0.113.7") for _ in range(5)]
        assert statuses[0] == 404
        assert statuses[-1] == 429
        assert await ask("203.0.113.8") == 404
        spoofed = [await ask(f"198.51.100.{number}, 203.0.113.9") for number in range(5)]
        assert spoofed[-1] == 429, "only what our own proxy appended counts"
        lines = [
            await nobody.client.get(
                "/profiles/ada",
                headers=[("X-Forwarded-For", f"198.51.100.{number}"), ("X-Forwarded-For", "203.0.113.10")],
            )
            for number in range(5)
        ]
        assert lines[-1].status_code == 429, "it may append a line of its own"

    async def test_public_files_have_a_limit_of_their_own(self, entativa: Environment) -> None:
        environment = await limited(
            entativa, address_per_minute=60, address_burst=2, files_per_minute=60, files_burst=8
        )
        nobody = Member(environment.client)
        file = f"/profile-media/{UUID(int=7)}/320.webp"
        assert {(await nobody.get(file)).status_code for _ in range(8)} == {404}
        assert (await nobody.get("/profiles/ada")).status_code == 404, (
            "a page of avatars leaves the other limit as it was"
        )
        assert 429 in {(await nobody.get(file)).status_code for _ in range(20)}

    async def test_one_ipv6_network_is_one_address(self, entativa: Environment) -> None:
        environment = await limited(entativa, address_per_minute=60, address_burst=2)
        answers = [
            await Member(environment.client).get(
                "/profiles/ada", headers={"X-Forwarded-For": f"2001:db8:1:2::{number:x}"}
            )
            for number in range(5)
        ]
        assert answers[-1].status_code == 429

    async def test_a_bad_token_counts_before_its_signature_is_checked(
        self, entativa: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = await entativa.member("ada")
        assert (await ada.get("/feed")).status_code == 200
        environment = await limited(entativa, address_per_minute=60, address_burst=2)
        checked: list[str] = []
        check = AccessTokens._check

        def counting(tokens: AccessTokens, token: str) -> tuple[Identity, int]:
            checked.append(token)
            return check(tokens, token)

        monkeypatch.setattr(AccessTokens, "_check", counting)
        for path in ("/feed", "/profiles/ada"):
            for number in range(8):
                answer = await environment.client.get(path, headers={"Authorization": f"Bearer a.b.{number}"})
            assert answer.status_code == 429
        assert len(checked) < 8
        ada.client = environment.client
        assert (await ada.get("/feed")).status_code == 200, "a token that was verified before is no guess"

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/nothing", 404), ("DELETE", "/profiles/ada", 405), ("GET", "http://test/.well-known/jwks.json", 200)],
    )
    async def test_requests_that_need_no_sign_in_have_a_limit(
        self, entativa: Environment, method: str, path: str, status: int
    ) -> None:
        environment = await limited(entativa, address_per_minute=60, address_burst=2)
        statuses = [(await environment.client.request(method, path)).status_code for _ in range(6)]
        assert (statuses[0], statuses[-1]) == (status, 429)

    async def test_refreshing_is_limited_for_a_session_and_not_for_an_office(self, entativa: Environment) -> None:
        await entativa.member("ada")
        office = [await entativa.log_in("ada") for _ in range(8)]
        environment = await limited(entativa, refreshes_per_minute=60, refreshes_burst=2)

        async def refresh(token: str) -> httpx.Response:
            return await environment.client.post("/auth/refresh", json={"refresh_token": token})

        answers = [await refresh(device.tokens["refresh_token"]) for device in office]
        assert [answer.status_code for answer in answers] == [200] * len(office)
        statuses: list[int] = []
        answer = answers[0]
        while answer.is_success:
            assert len(statuses) < 8
            answer = await refresh(answer.json()["refresh_token"])
            statuses.append(answer.status_code)
        assert statuses[-1] == 429


class TestWithoutRedis:
    @staticmethod
    async def cut(environment: Environment) -> Environment:
        redis = open_redis("redis://127.0.0.1:1/0", timeout_s=0.2)
        platform = replace(environment.platform, redis=redis, admissions=Admissions(redis))
        return replace(environment, platform=platform, client=open_client(platform))

    async def test_reads_and_writes_are_served(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        await ada.post("/posts", json=POST)
        ada.client = (await self.cut(entativa)).client
        assert len((await ada.get("/feed")).json()["items"]) == 1
        assert (await ada.post("/posts", json=POST)).status_code == 201

    async def test_revoked_session_is_refused_all_the_same(self, entativa: Environment) -> None:
        ada = await entativa.member("ada")
        assert (await ada.post("/auth/log-out")).status_code == 204
        ada.client = (await self.cut(entativa)).client
        problem(await ada.get("/feed"), 401)

    async def test_readiness_says_so(self, entativa: Environment) -> None:
        environment = await self.cut(entativa)
        answer = await environment.client.get("http://test/health/ready")
        assert answer.status_code == 200
        shown = {"status": "ready", "postgres": "up", "redis": "down", "shard_map": "current", "alarms": []}
        assert answer.json() == shown


async def test_readiness_names_the_alarms(entativa: Environment) -> None:
    await raise_alarms(entativa.platform.redis, "entativa", {Alarm.DATABASE_FILLS_UP})
    answer = await entativa.client.get("http://test/health/ready")
    assert answer.status_code == 200
    shown = {"status": "ready", "postgres": "up", "redis": "up", "shard_map": "current"}
    assert answer.json() == {**shown, "alarms": ["database_fills_up"]}


async def test_readiness_says_that_entities_cannot_be_followed_and_stays_ready(entativa: Environment) -> None:
    platform = replace(entativa.platform, shard_map_is_stale=lambda: True)
    await report_alarms(platform, [Alarm.LOG_FILLS_UP])  # as the consumers do every minute
    answer = await open_client(platform).get("http://test/health/ready")
    assert answer.status_code == 200
    shown = {"status": "ready", "postgres": "up", "redis": "up", "shard_map": "stale"}
    assert answer.json() == {**shown, "alarms": ["log_fills_up", "shard_map_is_stale"]}


async def test_probes_count_against_no_limit_and_ask_postgres_seldom(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = entativa.settings.rate_limits.model_copy(update={"address_per_minute": 1, "address_burst": 1})
    settings = entativa.settings.model_copy(update={"rate_limits": limits})
    client = open_client(replace(entativa.platform, settings=settings))
    monkeypatch.setattr("api.health._FRESH_S", 3600.0)
    asked = 0

    async def ping() -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(entativa.platform.database, "ping", ping)
    for path in ("live", "ready"):
        answers = await asyncio.gather(*(client.get(f"http://test/health/{path}") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    assert asked == 1
    for path in ("/.well-known/jwks.json", "/nothing"):
        answers = [await client.get(f"http://test{path}") for _ in range(3)]
        assert answers[-1].status_code == 429, path


async def test_a_pool_in_full_use_is_no_outage(entativa: Environment) -> None:
    pool = entativa.platform.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        async with asyncio.timeout(60):
            answer = await entativa.client.get("http://test/health/ready")
    finally:
        for connection in held:
            await pool.release(connection)
    assert (answer.status_code, answer.json()["postgres"]) == (200, "up")


async def test_a_request_that_gets_no_connection_is_to_be_repeated(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await entativa.member("ada")
    monkeypatch.setattr("cluster.postgres.ACQUIRE_TIMEOUT_S", 0.2)
    pool = entativa.platform.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        answer = await ada.post("/posts", json=POST)
    finally:
        for connection in held:
            await pool.release(connection)
    assert problem(answer, 429)["code"] == "busy"
    assert answer.headers["retry-after"] == "1"
    assert (await ada.post("/posts", json=POST)).status_code == 201


async def test_a_request_that_waits_for_a_row_gives_its_connection_back(entativa: Environment) -> None:
    ada, _ = await entativa.member("ada"), await entativa.member("bob")
    async with entativa.platform.database.unit_of_work() as uow:
        await uow.execute("select from connection_counts where account_id = $1 for update", ada.id)
        answer = await ada.put("/mutes/bob")
    assert problem(answer, 429)["code"] == "busy"
    assert (await ada.put("/mutes/bob")).is_success


async def test_without_postgres(entativa: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await entativa.member("ada")
    database = entativa.platform.database
    await database.pool.close()
    problem(await ada.get("/feed"), 503)
    monkeypatch.setattr(database._probe, "_dsn", "postgresql://127.0.0.1:1/nothing")
    answer = await ada.get("http://test/health/ready")
    assert answer.status_code == 503
    assert answer.json()["postgres"] == "down"


async def test_trace_of_the_caller_is_continued(entativa: Environment) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    live = "http://test/health/live"
    answer = await entativa.client.get(live, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["x-trace-id"] == trace
    invalid = await entativa.client.get(live, headers={"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"})
    assert invalid.headers["x-trace-id"] not in {trace, "0" * 32}


async def test_failed_work_leaves_no_trace_in_the_database(entativa: Environment) -> None:
    """One request is one transaction: an error after a write takes the write back."""
    ada = await entativa.member("ada")
    before = await entativa.platform.database.pool.fetchval("select count(*) from outbox")
    problem(await ada.post("/posts", json={"text": "a", "audience": "list"}), 422)
    assert await entativa.platform.database.pool.fetchval("select count(*) from outbox") == before
    assert (await ada.get("/profiles/ada/posts")).json()["items"] == []


async def test_openapi_documents_errors_and_examples(entativa: Environment) -> None:
    document = await entativa.document()
    create = document["paths"]["/v1/posts"]["post"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in create["parameters"]}
    assert "application/problem+json" in create["responses"]["422"]["content"]
    assert create["operationId"] == "posts_create"


def unbounded(node: Any, path: str = "") -> list[str]:
    """The strings and lists of an OpenAPI document that have no bound. (Files are not held in memory.)"""
    if isinstance(node, list):
        return [found for number, item in enumerate(node) for found in unbounded(item, f"{path}/{number}")]
    if not isinstance(node, dict):
        return []
    found = [item for key, value in node.items() for item in unbounded(value, f"{path}/{key}")]
    bounded = {"maxLength", "enum", "const"} & node.keys() or node.get("format") in ("uuid", "date-time", "binary")
    if (node.get("type") == "string" and not bounded) or (node.get("type") == "array" and "maxItems" not in node):
        found.append(path)
    return found


async def test_every_string_and_list_has_a_bound(entativa: Environment, vignette: Environment) -> None:
    for brand in (entativa, vignette):
        assert unbounded(await brand.document()) == []


async def test_schemas_have_names_that_a_person_would_choose(entativa: Environment, vignette: Environment) -> None:
    for brand in (entativa, vignette):
        document = await brand.document()
        names = document["components"]["schemas"].keys()
        assert {"Post", "PostPage", "PostBody", "Problem", "Session", "SessionPage", "ListedPersonPage"} <= names
        odd = [name for name in names if not re.fullmatch("([A-Z][a-z]+)+", name) or name.endswith("Model")]
        assert odd == []
        used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
        assert used == names


async def test_members_that_are_always_sent_are_required(entativa: Environment, vignette: Environment) -> None:
    for brand in (entativa, vignette):
        schemas = (await brand.document())["components"]["schemas"]
        sent = {name: schema for name, schema in schemas.items() if not name.endswith(("Body", "Problem"))}
        optional = {
            name: missing
            for name, schema in sent.items()
            if (missing := schema.get("properties", {}).keys() - set(schema.get("required", ())))
        }
        assert optional == {}


async def test_generators_get_names_from_titles_too(entativa: Environment) -> None:
    document = await entativa.document()
    assert all(name == schema["title"] for name, schema in document["components"]["schemas"].items())
    assert {tag["name"] for tag in document["tags"]} == {
        tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]
    }
    assert all(tag["description"].endswith(".") for tag in document["tags"])


async def test_stored_answer_needs_a_live_session(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    key = {"Idempotency-Key": "key-00006"}
    assert (await ada.post("/posts", json=POST, headers=key)).status_code == 201
    assert (await ada.post("/auth/log-out")).status_code == 204
    problem(await ada.post("/posts", json=POST, headers=key), 401)


async def test_member_names_may_be_anything_json_allows(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answer = await ada.post(
        "/posts", content=b'{"text": "a", "\\ud800": 1}', headers={"Content-Type": "application/json"}
    )
    problem(answer, 422)
