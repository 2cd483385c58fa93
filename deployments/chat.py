"""`entativa chat`: end-to-end encrypted conversations in a terminal."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import platformdirs
import typer

from client.account import Account, DeviceRemoved, LinkRefused, LinkRequired
from client.api import ApiError, NoResponse, SignedOut
from client.backup import BackupUnavailable, ClientBackupError
from client.linking import LinkCode
from client.storage import (
    AccountFolders,
    AccountUnknown,
    InKeyring,
    Protection,
    StorageError,
    WithPassphrase,
    WrongPassphrase,
    has_keyring,
)
from client.terminal import ChatApp
from client.terminal.devices import as_qr
from cluster.local.installation import Installation
from cluster.local.processes import ServiceError

_NOT_IN_NAMES = re.compile("[^A-Za-z0-9._@-]")
_BACKUP_S = 30.0


def talk(
    username: str,
    to: str | None,
    brand: str,
    url: str | None,
    data: Path | None,
    passphrase: bool,
    replace_devices: bool,
) -> None:
    """Runs `entativa chat`; `chat_command.py` says what the arguments are. Raises ServiceError."""
    address = url or f"{Installation([brand]).base_url}/{brand}"
    folders = AccountFolders(data or Path(platformdirs.user_data_dir("entativa")))
    try:
        asyncio.run(_chat(folders, address, username, to, passphrase, replace_devices))
    except LinkRefused as error:
        raise ServiceError(
            f"{error}. Try again, or use this one instead of the others (--replace-devices): they receive nothing any"
            " more, and what they have stays there"
        ) from error
    except DeviceRemoved as error:
        raise ServiceError(
            f"{error}. What it has received stays in its folder; to write again, log in with another one (--data)"
        ) from error
    except (StorageError, ApiError) as error:
        raise ServiceError(str(error)) from error
    except NoResponse as error:
        raise ServiceError(f"{address} cannot be reached ({error})") from error


async def _chat(
    folders: AccountFolders, url: str, username: str, to: str | None, passphrase: bool, replace: bool
) -> None:
    account = await open_or_log_in(folders, url, username, passphrase, replace, _show_code)
    try:
        with contextlib.suppress(NoResponse, SignedOut):  # the application says so
            await _finish_log_in(account)
        while True:
            app = ChatApp(account, to)
            await app.run_async()
            if not app.signed_out:
                break
            password = typer.prompt(f"This session has ended. Password of {username}", hide_input=True)
            await account.log_in_again(password)
        await write_backup(account)
    finally:
        await account.close()


async def open_or_log_in(
    folders: AccountFolders,
    url: str,
    username: str,
    passphrase: bool,
    replace: bool,
    link: Callable[[LinkCode], None] | None = None,
) -> Account:
    """An account on this device, which it is logged in to the first time; `Account.log_in` says what `replace` and
    `link` are. Raises LinkRequired, LinkRefused, ApiError, NoResponse, StorageError."""
    name = folder_name(url, username)
    try:
        return open_account(folders, name)
    except AccountUnknown:
        password = typer.prompt(f"Password of {username}", hide_input=True)
        return await Account.log_in(
            *(folders, name, _protection(passphrase), url, username, password), replace=replace, link=link
        )


async def write_backup(account: Account) -> None:
    """Adds what is new to the account's backup, if it has one."""
    if account.backups.place is None:
        return
    try:
        async with asyncio.timeout(_BACKUP_S):
            await account.backups.write()
    except (ClientBackupError, BackupUnavailable, TimeoutError) as error:
        typer.echo(f"Not backed up: {error or 'it takes too long'}. Try entativa backup write {account.username}")


async def _finish_log_in(account: Account) -> None:
    """A program that has ended before another device approved this one asks again."""
    if not account.is_registered:
        try:
            await account.register()
        except LinkRequired:
            await account.link(_show_code)


def _show_code(code: LinkCode) -> None:
    typer.echo(as_qr(code))
    typer.echo(f"{code.encode()}\n")
    typer.echo("Your account has another device. Open its devices (Ctrl+O) and paste the code above, or choose this")
    typer.echo(f"one there and compare the digits (without messages so far):  {code.digits()}\nWaiting for it ...")


def folder_name(url: str, username: str) -> str:
    """The folder of an account at a brand."""
    return _NOT_IN_NAMES.sub("_", f"{username}@{url.partition('://')[2].rstrip('/')}")[:100]


def open_account(folders: AccountFolders, name: str) -> Account:
    """An account on this device. Raises AccountUnknown. Asks for the passphrase until it is right."""
    needed = {folder.name: folder.needs_passphrase for folder in folders.list()}.get(name, False)
    while True:
        try:
            return Account.open(folders, name, typer.prompt("Passphrase", hide_input=True) if needed else None)
        except WrongPassphrase as error:
            typer.echo(str(error))


def _protection(passphrase: bool) -> Protection:
    if not passphrase and has_keyring():
        return InKeyring()
    typer.echo("A passphrase protects your keys and messages on this device.")
    return WithPassphrase(typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True))
