"""No constant of a module takes the place of another: nothing says so when it does, and whoever used the first one has
the second."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "actors",
    "api",
    "benchmarks",
    "brands",
    "client",
    "cluster",
    "crypto",
    "deployments",
    "features",
    "pin_operator",
)


def _assigned(path: Path) -> list[str]:
    """The names that a module assigns to at its top level."""
    targets: list[ast.expr] = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets.append(node.target)
    names = [part for target in targets for part in ast.walk(target)]
    return [name.id for name in names if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]


def test_no_module_assigns_a_name_twice() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 500
    twice = {
        str(path.relative_to(ROOT)): names
        for path in modules
        if (names := [name for name, count in Counter(_assigned(path)).items() if count > 1])
    }
    assert twice == {}
