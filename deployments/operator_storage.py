"""What operators' commands read: a brand's database and its object storage, as the installation has them."""

import os
from contextlib import AbstractAsyncContextManager

from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.postgres import Database, connect_database
from cluster.settings import Settings


def operator_database(brand: str, *, pool_size: int = 1) -> AbstractAsyncContextManager[Database]:
    """Connects to a brand's database. Statements have no limit of time: an operator can wait for much data, and can
    interrupt."""
    return connect_database(Installation(sorted(BRANDS)).databases()[brand], pool_size=pool_size, limited=False)


def object_settings(installation: Installation) -> Settings:
    """Returns the settings with the address of the objects that the platform uses."""
    return Settings(
        _env_file=os.environ.get("ENTATIVA_ENV_FILE"), objects_url=installation.environment()["ENTATIVA_OBJECTS_URL"]
    )
