"""Mails about the deletion of an account: when it is requested, and when it is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from cluster.local.processes import free_port
from features.accounts.erasure import erase_due_accounts
from features.accounts.policy import AccountPolicy
from tests.support.environment import PASSWORD, Environment

GRACE = AccountPolicy().deletion_grace


async def _request(environment: Environment) -> None:
    ada = await environment.member("ada")
    environment.mails.clear()
    assert (await ada.post("/account/delete", json={"password": PASSWORD})).status_code == 202


async def test_the_owner_is_told_how_to_take_a_deletion_back_and_when_it_is_done(entativa: Environment) -> None:
    await _request(entativa)
    await entativa.drain()
    (mail,) = entativa.mails
    end = entativa.clock() + GRACE
    assert mail.to == "ada@example.org"
    assert f"{end:%Y-%m-%d}" in mail.subject
    assert f"{end:%Y-%m-%d at %H:%M} UTC" in mail.text
    assert "log-in takes that back" in mail.text
    entativa.clock.advance(GRACE)
    assert await erase_due_accounts(entativa.platform) == 1
    await entativa.drain()
    _, done = entativa.mails
    assert done.to == "ada@example.org"
    assert done.subject == "Your Entativa account has been deleted"


@pytest.mark.parametrize("when", ["before the mail", "after the mail"])
async def test_a_deletion_that_was_taken_back_sends_nothing_more(entativa: Environment, when: str) -> None:
    await _request(entativa)
    if when == "after the mail":
        await entativa.drain()
    await entativa.log_in("ada")
    await entativa.drain()
    assert len(entativa.mails) == (when == "after the mail")
    entativa.clock.advance(GRACE)
    assert await erase_due_accounts(entativa.platform) == 0


async def test_other_changes_of_an_account_send_no_mail(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    entativa.mails.clear()
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
    await entativa.drain()
    assert entativa.mails == []


async def test_an_account_is_erased_without_a_mail_server(entativa: Environment) -> None:
    await _request(entativa)
    entativa.clock.advance(GRACE)
    nowhere = SecretStr(f"smtp://127.0.0.1:{free_port()}")
    settings = entativa.settings.model_copy(update={"smtp_url": nowhere})
    assert await erase_due_accounts(replace(entativa.platform, settings=settings)) == 1
    assert await entativa.platform.database.pool.fetchval("select count(*) from accounts") == 0
