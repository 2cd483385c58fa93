"""What the commands `entativa backup ...` do (backup_command.py has their arguments)."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
import typer

from client.account import Account, DeviceRemoved, LinkRequired
from client.api import ApiError, NoResponse, SignedOut
from client.backup import BackupUnavailable, ClientBackupError, parse_place
from client.storage import AccountFolders, StorageError
from cluster.local.installation import Installation
from cluster.local.processes import ServiceError
from deployments.chat import open_or_log_in

Action = Callable[[Account], Awaitable[None]]


def run(
    action: Action, username: str, brand: str, url: str | None, data: Path | None, replace_devices: bool = False
) -> None:
    """Opens the account on this device, or logs in to it, and does something. Raises ServiceError."""
    address = url or f"{Installation([brand]).base_url}/{brand}"
    folders = AccountFolders(data or Path(platformdirs.user_data_dir("entativa")))

    async def act() -> None:
        account = await open_or_log_in(folders, address, username.removeprefix("@"), False, replace_devices)
        try:
            await action(account)
        finally:
            await account.close()

    try:
        asyncio.run(act())
    except LinkRequired as error:
        raise ServiceError(
            f"{error}: link this one with entativa chat {username}, or use it instead of the others with"
            f" entativa backup restore {username} --replace-devices"
        ) from error
    except SignedOut as error:
        raise ServiceError(f"this session has ended: log in with entativa chat {username}") from error
    except NoResponse as error:
        raise ServiceError(f"{address} cannot be reached ({error})") from error
    except (ClientBackupError, BackupUnavailable, StorageError, ApiError, DeviceRemoved) as error:
        raise ServiceError(str(error)) from error


async def _place(name: str) -> Mapping[str, Any]:
    """A place with what it asks for: a password, or the consent of the user in a browser."""
    place = parse_place(name)
    match place:
        case {"kind": "webdav"}:
            username, password = (
                typer.prompt("Username at the WebDAV server"),
                typer.prompt("Password", hide_input=True),
            )
            return {**place, "username": username, "password": password}
        case {"kind": "google-drive"}:
            from client.backup.google_sign_in import GoogleProgram, sign_in  # few need it, and it takes a while

            program = GoogleProgram(
                os.environ.get("ENTATIVA_CHAT_GOOGLE_CLIENT_ID", ""),
                os.environ.get("ENTATIVA_CHAT_GOOGLE_CLIENT_SECRET", ""),
            )
            if not program.client_id:
                raise ServiceError("Google Drive needs ENTATIVA_CHAT_GOOGLE_CLIENT_ID (client/README.md)")
            token = await sign_in(program, lambda url: typer.echo(f"Open this address in a browser:\n{url}"))
            return {
                **place,
                "client_id": program.client_id,
                "client_secret": program.client_secret,
                "refresh_token": token,
            }
    return place


def create(place: str, with_passphrase: bool) -> Action:
    """Begins a backup and writes it."""

    async def act(account: Account) -> None:
        where = await _place(place)
        passphrase = (
            typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True) if with_passphrase else None
        )
        await account.backups.create(where, passphrase)
        await write(account)
        await show_key(account)

    return act


async def write(account: Account) -> None:
    """Adds what is new."""
    written = await account.backups.write()
    typer.echo(f"{written.records} records in {written.segments} segments, {written.size:,} bytes")


async def show_key(account: Account) -> None:
    """Prints the recovery key."""
    typer.echo("Your recovery key. Write it down: whoever has it, and nobody else, can open the backup.")
    typer.echo(account.backups.recovery_key.words())


async def set_passphrase(account: Account) -> None:
    """Lets a passphrase open it."""
    await account.backups.set_passphrase(typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True))


def set_pin(operators: Sequence[str]) -> Action:
    """Lets a PIN open it."""

    async def act(account: Account) -> None:
        pin = typer.prompt("New PIN", hide_input=True, confirmation_prompt=True)
        await account.backups.set_pin(pin, operators)

    return act


def restore(place: str, by: str, operators: Sequence[str]) -> Action:
    """Restores it on this device."""

    async def act(account: Account) -> None:
        where = await _place(place)
        match by:
            case "key":
                new = await account.backups.restore_with_words(where, typer.prompt("Recovery key"))
            case "passphrase":
                passphrase = typer.prompt("Passphrase of the backup", hide_input=True)
                new = await account.backups.restore_with_passphrase(where, passphrase)
            case "pin" if operators:
                pin = typer.prompt("PIN", hide_input=True)
                new = await account.backups.restore_with_pin(where, pin, operators)
            case _:
                raise ServiceError("--by is key, passphrase, or pin with each --operator")
        typer.echo(f"{new} messages restored")

    return act


def delete(place: str | None) -> Action:
    """Deletes it, or the one at another place."""

    async def act(account: Account) -> None:
        await account.backups.delete(None if place is None else await _place(place))

    return act
