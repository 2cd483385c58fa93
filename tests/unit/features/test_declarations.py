"""What the slices declare fits their code."""

import ast
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import features
from actors.runtime.kind import load_kind
from brands import Brand
from brands.catalogue import BRANDS
from features.feature import Feature, in_order
from tests.support.features import FEATURES, needs_of

FOLDER = Path(features.__file__).parent
SLICES = {path.parent.name for path in FOLDER.glob("*/feature.py")}


ROOT = FOLDER.parent


def _imports(path: Path) -> set[str]:
    """The modules that a module imports from features/: of ``from a.b import c`` both a.b and a.b.c."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("features."):
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def _imported_slices(slice_name: str) -> set[str]:
    """The slices that a slice's modules import."""
    imported = {name.split(".")[1] for path in (FOLDER / slice_name).glob("*.py") for name in _imports(path)}
    return (imported & SLICES) - {slice_name}


def test_every_slice_is_of_some_brand() -> None:
    assert {feature.name for feature in FEATURES} == SLICES
    assert {path.parent.name for path in FOLDER.glob("*/__init__.py")} == SLICES


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_needs_what_it_imports(feature: Feature) -> None:
    assert _imported_slices(feature.name) <= {need.name for need in needs_of(feature)}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_policy_is_declared(feature: Feature) -> None:
    """So that a brand can change it; without the brand's, its defaults hold."""
    assert (feature.policy is not None) == (FOLDER / feature.name / "policy.py").exists()
    if feature.policy is not None:
        assert is_dataclass(feature.policy())


@pytest.mark.parametrize("brand", BRANDS.values(), ids=lambda brand: brand.name)
def test_a_brand_has_what_its_features_need_and_sets_their_policies_only(brand: Brand) -> None:
    assert set(in_order(brand.features)) == set(brand.features)
    policies = {feature.policy for feature in brand.features}
    assert {type(policy) for policy in brand.policies} <= policies
    for policy in brand.policies:
        assert brand.policy(type(policy)) is policy


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_entities_exist(feature: Feature) -> None:
    for entities in feature.entities:
        assert load_kind(entities.kind)
        module, _, function = entities.calls.partition(":")
        assert callable(getattr(import_module(module), function))


def _timers_set(folder: Path) -> set[str]:
    """The names of the durable timers that the modules of a folder set."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "SetTimer":
                (name,) = [*node.args[:1], *(given.value for given in node.keywords if given.arg == "name")]
                value = name.value if isinstance(name, ast.Constant) else None
                assert isinstance(value, str), f"{path}: the name of a durable timer is a literal"
                names.add(value)
    return names


def test_the_durable_timers_that_an_entity_sets_are_those_declared() -> None:
    """So that a brand's features say which there are, and the runtime refuses none that somebody needs."""
    declared = {
        entities.kind.partition(":")[0]: {timer.name for timer in entities.timers}
        for feature in FEATURES
        for entities in feature.entities
    }
    folders = {f"actors.{path.name}": path for path in (ROOT / "actors").iterdir() if path.is_dir()}
    assert {name: _timers_set(path) for name, path in folders.items() if name in declared} == declared
    assert {name for name, path in folders.items() if name not in declared and _timers_set(path)} == set()


def test_durable_timers_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "entity.py").write_text('SetTimer("close", due, 1)\nruntime.SetTimer(due=due, name="open", message=1)')
    assert _timers_set(tmp_path) == {"close", "open"}
