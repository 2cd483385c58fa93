"""Commands of operators connect in one way, without the limit that requests have."""

from pathlib import Path

import deployments

LIMITED = {"code_updates.py"}
"""Of the command line, what reads or writes a row or two, and must not hang where the database does not answer."""


def test_commands_connect_without_a_limit() -> None:
    folder = Path(deployments.__file__).parent
    connecting = {path.name for path in folder.glob("*.py") if "connect_database(" in path.read_text()}
    assert connecting == {"operator_storage.py", *LIMITED}
