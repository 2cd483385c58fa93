"""The command `entativa chat`, without what it imports: that takes a second, and every command would wait for it."""

from pathlib import Path
from typing import Annotated

import typer


def chat(
    username: Annotated[str, typer.Argument(help="Your username.")],
    to: Annotated[str | None, typer.Argument(help="Whom to write to.")] = None,
    brand: Annotated[str, typer.Option(help="On the local platform.")] = "entativa",
    url: Annotated[str | None, typer.Option(help="Of a brand elsewhere, without /v1.")] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ENTATIVA_CHAT_DATA", help="Where accounts are kept, encrypted.")
    ] = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Protect a new account by a passphrase, not by the keyring.")
    ] = False,
    replace_devices: Annotated[
        bool, typer.Option("--replace-devices", help="Remove the account's other devices, at the first log-in.")
    ] = False,
) -> None:
    """Write encrypted messages in the terminal. The first time it logs in and makes this a device of the account."""
    from deployments.chat import talk  # see above

    talk(username.removeprefix("@"), to, brand, url, data, passphrase, replace_devices)
