"""The declared error codes: unique, complete, and documented."""

from collections.abc import Iterator
from pathlib import Path

from api.error_catalogue import all_codes, render
from api.error_codes import code_of
from features.accounts.errors import NoSuchAccount
from features.errors import DomainError
from features.live_sessions.errors import PushRefused
from features.media.evidence import NoSuchEvidence
from features.message_reports.errors import NoSuchReport
from features.realtime.errors import SessionsUnavailable, UnknownRequest

INTERNAL = {NoSuchAccount, NoSuchEvidence, NoSuchReport, PushRefused, SessionsUnavailable, UnknownRequest}
"""Errors between slices, over sockets, or for operators, which no route answers with."""


def _errors(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in kind.__subclasses__():
        yield from _errors(error)
        if hasattr(error, "code") and error.__module__.startswith(("api.", "features.")):
            yield error


def test_a_code_has_one_status_and_one_meaning() -> None:
    codes = [code.code for code in all_codes()]
    assert sorted(codes) == sorted(set(codes))


def test_routes_declare_every_error() -> None:
    declared = {code.code for code in all_codes()}
    assert {error for error in _errors() if error.code not in declared} == INTERNAL


def test_two_errors_share_no_code() -> None:
    errors = list(_errors())
    assert len({error.code for error in errors}) == len(errors)
    assert all(code_of(error).meaning for error in errors)


def test_the_catalogue_is_up_to_date() -> None:
    documented = Path("docs/errors.md").read_text()
    assert documented == render(all_codes()), "run python -m api.error_catalogue > docs/errors.md"
