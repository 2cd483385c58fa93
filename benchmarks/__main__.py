"""Runs the benchmark modules that have a wanted figure; see README.md beside this file."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

import benchmarks
from benchmarks import size
from benchmarks.deadline import FIGURE_TIMEOUT_S, SMALLEST_TIMEOUT_S, DeadlineExceeded, deadline
from benchmarks.platform.shared import shared
from benchmarks.termination import EXIT_CODE, Terminated, stopped_by_sigterm


def _modules(failures: list[str]) -> Iterator[ModuleType]:
    """Every module of this folder that declares FIGURES; one that cannot be imported is a failure."""
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name == "__main__" or info.ispkg:
            continue
        try:
            module = importlib.import_module(f"benchmarks.{info.name}")
        except Exception:  # noqa: BLE001 - one broken module must not silence the others; exit code 1 tells
            _report(info.name, failures)
            continue
        if hasattr(module, "FIGURES"):
            yield module


def _report(name: str, failures: list[str]) -> None:
    failures.append(name)
    print(f"benchmark module {name} failed:", file=sys.stderr)
    traceback.print_exc()


def _run(modules: Iterable[ModuleType], wanted: Callable[[str], bool], failures: list[str]) -> int:
    """Prints the wanted figures of all modules and returns how many there were. Whatever else is said (our logs, Ray's
    news of processes that a benchmark killed) goes to standard error."""
    printed, output = 0, sys.stdout
    for module in modules:
        declared: tuple[str, ...] = module.FIGURES
        if not any(map(wanted, declared)):
            continue
        try:
            with contextlib.redirect_stdout(sys.stderr), contextlib.closing(module.run(wanted)) as figures:
                while True:
                    # The first figure's time includes the start of what all of the module's figures need.
                    usual = size.sized(FIGURE_TIMEOUT_S, SMALLEST_TIMEOUT_S)
                    with deadline(getattr(module, "FIGURE_TIMEOUT_S", usual)):
                        figure = next(figures, None)
                    if figure is None:
                        break
                    if figure.figure not in declared:
                        raise LookupError(f"{figure.figure} is not among the module's FIGURES")
                    print(figure.line(), file=output, flush=True)
                    printed += 1
        except (Exception, DeadlineExceeded):  # noqa: BLE001 - the others still run; exit code 1 tells
            _report(module.__name__, failures)
    return printed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("prefix", nargs="*", default=[""], help="only figures whose names start with one of these")
    parser.add_argument("--list", action="store_true", help="print the names instead of measuring")
    parser.add_argument("--smallest", action="store_true", help="as small as possible: whether they run, not how fast")
    options = parser.parse_args(arguments)
    if options.smallest:
        os.environ[size.VARIABLE] = "1"
    prefixes = tuple(options.prefix)

    def wanted(name: str) -> bool:
        return name.startswith(prefixes)

    failures: list[str] = []
    modules = list(_modules(failures))
    names = [name for module in modules for name in module.FIGURES if wanted(name)]
    if not names and not failures:
        print(f"no figure starts with {' or '.join(map(repr, prefixes))}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(names))
    else:
        try:
            with stopped_by_sigterm(), shared:
                _run(modules, wanted, failures)
        except Terminated:
            return EXIT_CODE
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
