"""`entativa counts`: compares stored counts with the rows that they count, and corrects them."""

import asyncio
import dataclasses

import typer

from api.platform import utc_now
from brands.catalogue import BRANDS
from deployments.accounts import print_json
from deployments.arguments import Brand
from deployments.console import console, step
from deployments.operator_storage import operator_database
from features.stored_counts import batches

app = typer.Typer(no_args_is_help=True, help="Stored counts of reactions, comments, shares, votes and connections.")


@app.command()
def check(brand: Brand) -> None:
    """Print each count that differs from its rows as a JSON line. Exits with 1 if there is one."""
    if asyncio.run(_compare(brand, repair=False)):
        raise typer.Exit(1)


@app.command()
def recount(brand: Brand) -> None:
    """Correct each count that differs from its rows, and print what it was, as a JSON line. Others may write
    meanwhile."""
    asyncio.run(_compare(brand, repair=True))


async def _compare(brand: str, *, repair: bool) -> int:
    """Returns how many counts were wrong."""
    total = 0
    async with operator_database(brand, pool_size=2) as database:
        for counts in (counts for feature in BRANDS[brand].features for counts in feature.counts):
            compared = wrong = 0
            with step(f"counting {counts.name}") as show:
                async for batch in batches(database, counts, utc_now if repair else None):
                    for count in batch.wrong:
                        print_json({"counts": counts.name, **dataclasses.asdict(count)})
                    compared, wrong = compared + batch.compared, wrong + len(batch.wrong)
                    show(f"{compared} compared, {wrong} wrong")
            total += wrong
    console.print(f"{total} counts were wrong" + (" and are corrected" if repair and total else ""))
    return total
