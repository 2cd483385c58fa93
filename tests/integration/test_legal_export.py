"""`entativa legal-export` writes what docs/security/metadata.md lists about an account, and nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from features.devices.directory_epochs import close_due_epoch
from tests.integration.test_operator_commands import entativa_command
from tests.support.attachments import upload_attachment
from tests.support.backups import put_segments, write_backup
from tests.support.devices import create_link, publish_key_packages, publish_prekeys, register_first_device
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.messaging_rows import GROUP, MESSAGE
from tests.support.metadata_page import listed_columns

_PARTS = """
with part as (insert into group_parts (group_id, name, data) select id, 'tree', 'tree' from groups)
insert into group_staged_changes (id, group_id, created_at, message, put_names, put_data, deleted_names, suite,
    added_account_ids, added_devices, added_leaves, added_secrets, removed_leaves)
select gen_random_uuid(), id, now(), 'commit', '{tree}', array['tree'::bytea], '{}', 1, '{}', '{}', '{}', '{}', '{}'
from groups
"""


_REMOVED = """
insert into group_devices (account_id, device, group_id, leaf, since, read_to, until)
select $1, 1, group_id, 1, 1, 1, 1 from group_members where account_id = $2
"""
_COPY = """
insert into message_payloads (account_id, device, conversation_id, seq, previous, sender_account_id, sender_device,
    client_id, sent_at, expires_at, ciphertext)
select $1, 2, conversation_id, seq, 0, $1, 1, gen_random_uuid(), sent_at, expires_at, 'copy' from message_payloads
where account_id = $1
"""


async def _live(environment: Environment, me: Member, other: Member) -> None:
    """Somebody who has rows in every table, with somebody else."""
    for member in (me, other):
        device, now = await register_first_device(member), int(environment.clock().timestamp())
        await publish_prekeys(device, 1, now)
        await publish_key_packages(device, 1, now)
        await create_link(await environment.log_in(member.username))
        assert (await write_backup(member, 0, await put_segments(member, b"sealed"))).is_success
        await upload_attachment(member, b"sealed")
    answer = await me.post("/conversations", json={"account_id": other.id})
    pool, ids = environment.platform.database.pool, (UUID(me.id), UUID(other.id), environment.clock())
    await pool.execute(MESSAGE, UUID(answer.json()["id"]), *ids)


async def _exported(environment: Environment, home: Path, username: str) -> dict[str, list[dict[str, Any]]]:
    done = entativa_command(
        environment,
        home,
        *("legal-export", "entativa", username),
        ENTATIVA_CLUSTER_SECRET=environment.settings.cluster_secret.get_secret_value(),
    )
    assert done.returncode == 0, done.stderr
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        assert found.keys() == {"table", "row"}
        rows[found["table"]].append(found["row"])
    return rows


async def test_it_has_every_row_of_the_page_and_no_other(entativa: Environment, tmp_path: Path) -> None:
    ada, bob, eve, mallory = [await entativa.member(name) for name in ("ada", "bob", "eve", "mallory")]
    await _live(entativa, ada, bob)
    await _live(entativa, eve, mallory)
    pool = entativa.platform.database.pool
    for one, other in ((ada, bob), (eve, mallory)):
        await pool.execute(GROUP, uuid4(), UUID(one.id), UUID(other.id), entativa.clock())
    await pool.execute(_PARTS)
    # A group that she was removed from, which her lost device will never read.
    await pool.execute(_REMOVED, UUID(ada.id), UUID(eve.id))
    # What Bob has sent to a further device of his own, and what a change says of whom it adds.
    await pool.execute(_COPY, UUID(bob.id))
    await pool.execute("update group_staged_changes set added_account_ids = array[$1::uuid]", UUID(ada.id))
    assert await close_due_epoch(entativa.platform, entativa.clock())

    rows = await _exported(entativa, tmp_path, "Ada")
    assert sorted(f"{table}.{column}" for table, found in rows.items() for column in found[0]) == sorted(
        listed_columns()
    )
    # Those of her conversation and her group have Bob, too; all others are hers alone.
    ids = {row["account_id"] for found in rows.values() for row in found if "account_id" in row}
    assert ids == {ada.id, bob.id}
    shared = {table for table, found in rows.items() if any(row.get("account_id") == bob.id for row in found)}
    assert shared == {
        "conversation_members",
        "group_devices",
        "group_joiners",
        "group_members",
        "group_join_requests",
        "message_payloads",
    }
    assert len(rows["conversations"]) == len(rows["groups"]) == len(rows["key_directory_epochs"]) == 1
    payloads = {(payload["sender_account_id"], payload["ciphertext"]) for payload in rows["message_payloads"]}
    assert payloads == {(ada.id, "c2VhbGVk"), (bob.id, "Y29weQ==")}
    assert len(rows["group_staged_changes"]) == 2
    places = [place for place in rows["group_devices"] if place["group_id"] != rows["groups"][0]["id"]]
    assert [(place["account_id"], place["until"]) for place in places] == [(ada.id, 1)]
    assert {row["index"] for row in rows["key_directory_map"]} != {None}

    [line] = (tmp_path / "logs" / "legal-export.log").read_text().splitlines()
    noted = json.loads(line)
    assert (noted["event"], noted["brand"], noted["account_id"]) == ("legal export", "entativa", ada.id)
    assert "ada" not in line.replace("metadata", "").replace(ada.id, "")


async def test_an_account_that_is_not_there_is_refused(entativa: Environment, tmp_path: Path) -> None:
    refused = entativa_command(entativa, tmp_path, "legal-export", "entativa", "nobody")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.split(maxsplit=1) == ["error", "There is no such account.\n"]
    assert not (tmp_path / "logs" / "legal-export.log").exists()
