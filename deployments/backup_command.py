"""The commands `entativa backup ...`, without what they import: that takes a second, and every command would wait."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Encrypted backups of what `entativa chat` has on this device.")

Username = Annotated[str, typer.Argument(help="Your username.")]
Brand = Annotated[str, typer.Option(help="On the local platform.")]
Url = Annotated[str | None, typer.Option(help="Of a brand elsewhere, without /v1.")]
Data = Annotated[Path | None, typer.Option(envvar="ENTATIVA_CHAT_DATA", help="Where accounts are kept, encrypted.")]
Place = Annotated[str, typer.Option(help="platform, folder:PATH, webdav:URL or google-drive.")]
Operator = Annotated[
    list[str],
    typer.Option(envvar="ENTATIVA_CHAT_PIN_OPERATORS", help="Address of an operator of PINs, in their order."),
]


@app.command()
def create(
    username: Username,
    place: Place = "platform",
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Let a passphrase open it, too.")] = False,
    brand: Brand = "entativa",
    url: Url = None,
    data: Data = None,
) -> None:
    """Begin a backup, write it, and print its recovery key. It is written whenever `entativa chat` ends."""
    from deployments import backup  # see above

    backup.run(backup.create(place, passphrase), username, brand, url, data)


@app.command()
def write(username: Username, brand: Brand = "entativa", url: Url = None, data: Data = None) -> None:
    """Add what is new to the backup."""
    from deployments import backup

    backup.run(backup.write, username, brand, url, data)


@app.command()
def restore(
    username: Username,
    place: Place = "platform",
    by: Annotated[str, typer.Option(help="What opens it: key, passphrase or pin.")] = "key",
    operator: Operator = [],  # noqa: B006 - Typer copies it
    replace_devices: Annotated[
        bool, typer.Option("--replace-devices", help="Remove the account's other devices, at the first log-in.")
    ] = False,
    brand: Brand = "entativa",
    url: Url = None,
    data: Data = None,
) -> None:
    """Restore the backup on this device, and go on writing it from here."""
    from deployments import backup

    backup.run(backup.restore(place, by, operator), username, brand, url, data, replace_devices)


@app.command()
def passphrase(username: Username, brand: Brand = "entativa", url: Url = None, data: Data = None) -> None:
    """Let a passphrase open the backup, in place of a former one."""
    from deployments import backup

    backup.run(backup.set_passphrase, username, brand, url, data)


@app.command()
def pin(username: Username, operator: Operator, brand: Brand = "entativa", url: Url = None, data: Data = None) -> None:
    """Let a PIN open the backup: ten guesses, then it is gone."""
    from deployments import backup

    backup.run(backup.set_pin(operator), username, brand, url, data)


@app.command()
def key(username: Username, brand: Brand = "entativa", url: Url = None, data: Data = None) -> None:
    """Print the recovery key."""
    from deployments import backup

    backup.run(backup.show_key, username, brand, url, data)


@app.command()
def delete(
    username: Username,
    place: Annotated[
        str | None, typer.Option(help="Another place than that of this device's backup, as for create.")
    ] = None,
    brand: Brand = "entativa",
    url: Url = None,
    data: Data = None,
) -> None:
    """Delete the backup at its place. With --place, also one that nobody can open any more."""
    from deployments import backup

    backup.run(backup.delete(place), username, brand, url, data)
