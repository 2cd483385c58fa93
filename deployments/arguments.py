"""Arguments that several commands have."""

from typing import Annotated

import typer

from brands.catalogue import BRANDS


def _known(name: str) -> str:
    if name not in BRANDS:
        raise typer.BadParameter(f"there is no brand {name!r}; the brands are {', '.join(BRANDS)}")
    return name


Brand = Annotated[str, typer.Argument(help="A brand's name.", callback=_known)]
