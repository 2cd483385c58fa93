"""The rule for who may see a post, and that every statement contains it."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import features
from features.posts.model import Audience
from features.posts.privacy import Relationship, may_see, visible_to

MODULES = sorted(Path(features.__file__).parent.glob("*/*.py"))


@pytest.mark.parametrize(
    ("relationship", "audiences"),
    [
        (Relationship(), {"public"}),
        (Relationship(connected=True), {"public", "connections"}),
        (Relationship(close_friend=True), {"public", "close_friends"}),
        (Relationship(on_list=True), {"public", "list"}),
        (Relationship(is_author=True), {"public", "connections", "close_friends", "list", "only_me"}),
    ],
)
def test_who_is_in_which_audience(relationship: Relationship, audiences: set[str]) -> None:
    assert {audience for audience in Audience if may_see(relationship, audience)} == audiences


@pytest.mark.parametrize("audience", Audience)
def test_a_block_outweighs_every_tie(audience: Audience) -> None:
    for connected, close, listed in product([False, True], repeat=3):
        stands = Relationship(apart=True, connected=connected, close_friend=close, on_list=listed)
        assert not may_see(stands, audience)


def _reads_posts(sql: str) -> bool:
    return re.search(r"\b(from|join)\s+posts\b", sql, re.IGNORECASE) is not None


def _is_the_authors_own(sql: str) -> bool:
    own = r"where id = (\$1|any\(\$1::uuid\[\]\)) and author_id = \$2|from posts as own where own\.author_id = "
    return re.search(own, sql) is not None


def _statements(path: Path) -> Iterator[tuple[str, bool]]:
    """The f-strings and plain texts of a module (not its docstrings), and whether each has `visible_to` in it, itself
    or by way of a constant or function that it is built from."""
    asking = {"visible_to"}
    passed: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr) and names & asking:
            asking |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.FunctionDef) and names & asking:
            asking.add(node.name)
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            yield text, bool(names & asking)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield node.value, False


def test_every_statement_that_reads_posts_asks_who_may_see_them() -> None:
    """A statement of any slice that has ``from posts`` or ``join posts`` carries `visible_to`, or touches only what is
    the author's own."""
    readers = 0
    for path in MODULES:
        for sql, asks in _statements(path):
            if _reads_posts(sql):
                readers += 1
                assert asks or _is_the_authors_own(sql), f"{path}: {sql}"
    assert readers >= 6, "the statements are no longer found: this test looks in the wrong place"


def test_a_viewer_of_another_statement_can_be_named() -> None:
    assert "posts.author_id = $7" in visible_to("$7")
    assert "earlier.audience = any(" in visible_to("$7", shown="earlier")
