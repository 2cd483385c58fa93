"""`entativa chat`: end-to-end encrypted conversations in a terminal."""

import asyncio
import re
from pathlib import Path

import platformdirs
import typer

from client.account import Account, DeviceRemoved, LinkRequired
from client.api import ApiError, NoResponse
from client.backup import BackupUnavailable, ClientBackupError
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
    except LinkRequired as error:
        raise ServiceError(
            f"{error}. To use this one instead, add --replace-devices: the other receives nothing any more, and what it"
            " has stays there"
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
    account = await open_or_log_in(folders, url, username, passphrase, replace)
    try:
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


async def open_or_log_in(folders: AccountFolders, url: str, username: str, passphrase: bool, replace: bool) -> Account:
    """An account on this device, which it is logged in to the first time. Raises LinkRequired, ApiError, NoResponse,
    StorageError."""
    name = folder_name(url, username)
    try:
        return open_account(folders, name)
    except AccountUnknown:
        password = typer.prompt(f"Password of {username}", hide_input=True)
        return await Account.log_in(folders, name, _protection(passphrase), url, username, password, replace=replace)


async def write_backup(account: Account) -> None:
    """Adds what is new to the account's backup, if it has one."""
    if account.backups.place is None:
        return
    try:
        async with asyncio.timeout(_BACKUP_S):
            await account.backups.write()
    except (ClientBackupError, BackupUnavailable, TimeoutError) as error:
        typer.echo(f"Not backed up: {error or 'it takes too long'}. Try entativa backup write {account.username}")


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
