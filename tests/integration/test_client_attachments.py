"""A client's files over the real API: from one account's folder to another's, and gone from the platform."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from client.account import Account
from client.api import ApiError
from client.storage import AccountFolders
from features.devices.directory_epochs import close_due_epoch
from tests.support.correspondence import PROTECTION
from tests.support.environment import PASSWORD, ROOT, Environment

TALK = "c" * 32


async def log_in(entativa: Environment, folders: AccountFolders, name: str) -> Account:
    await entativa.member(name)
    transport = httpx.ASGITransport(app=create_app(entativa.platform), raise_app_exceptions=False)
    return await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, transport=transport)


async def test_a_file_goes_from_one_account_to_another(entativa: Environment, tmp_path: Path) -> None:
    assert await close_due_epoch(entativa.platform, entativa.clock())
    folders = AccountFolders(tmp_path / "accounts")
    ada, bob = [await log_in(entativa, folders, name) for name in ("ada", "bob")]
    source, target = tmp_path / "plan.pdf", tmp_path / "saved.pdf"
    source.write_bytes(os.urandom(1_300_000))
    ada.messenger.add_conversation(TALK, bob.account_id)
    await ada.send_file(TALK, source, "Look")
    while await ada._transfers.step():
        pass
    (message,) = ada.conversations.messages(TALK)
    (attachment,) = message.attachments
    assert (message.text, attachment.length) == ("Look", 1_300_000)
    await bob._transfers.save(attachment, target)
    assert target.read_bytes() == source.read_bytes()
    assert stat(target) == 0o600

    # As when the message was deleted for everybody.
    ada._database.execute("insert into unwanted_attachments (id) values (?)", attachment.id)
    while await ada._transfers.step():
        pass
    carol = await log_in(entativa, folders, "carol")
    with pytest.raises(ApiError) as refused:
        await carol._transfers.save(attachment, tmp_path / "late")
    assert refused.value.code == "no_such_attachment"
    await asyncio.gather(*(account.close() for account in (ada, bob, carol)))


def stat(path: Path) -> Any:
    return path.stat().st_mode & 0o777
