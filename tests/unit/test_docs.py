"""What the documentation points to exists, and each decision follows the template."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("actors", "api", "benchmarks", "brands", "client", "cluster", "crypto", "deployments", "docs", "features")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "benchmarks/README.md",
        ROOT / "client/README.md",
        ROOT / "crypto/README.md",
    ]
)
DECISIONS = sorted(set((ROOT / "docs/decisions").glob("*.md")) - {ROOT / "docs/decisions/README.md"})

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")
_FILE = re.compile(rf"`((?:{'|'.join((*FOLDERS, 'tests'))})/[\w./-]*\w\.(?:py|sql|md|yaml|json|toml))`")


def _has_test(name: str) -> bool:
    """Whether `file::Class::test` (or without a class) is a test."""
    path, *classes, test = name.split("::")
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text()).body
    for wanted in classes:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == wanted), [])
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == test for node in body)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text()
    assert [link for link in _LINK.findall(text) if not (page.parent / link).exists()] == []
    assert [name for name in _FILE.findall(text) if "NNNN" not in name and not (ROOT / name).exists()] == []
    assert [name for name in _TEST.findall(text) if not _has_test(name)] == []


def test_the_index_of_decisions_is_complete() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    for page in DECISIONS:
        title = page.read_text().partition("\n")[0].removeprefix("# ")
        assert page.name == "template.md" or f"- [{title}]({page.name})" in index, page.name


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_its_status_and_date(page: Path) -> None:
    assert re.search(r"^Status: .*Date: (\d{4}-\d\d-\d\d|YYYY-MM-DD)", page.read_text(), re.MULTILINE)
    assert "\n## Choice\n" in page.read_text()
