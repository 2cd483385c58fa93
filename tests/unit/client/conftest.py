from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.client.talk import Talk


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path)
    yield made
    for database in made.databases.values():
        database.close()
