"""Every error that ends a command, as one sentence with the way out."""

import httpx
from pydantic import ValidationError

from cluster.events.log import LogUnavailable
from cluster.events.replay import UnknownConsumer
from cluster.local.processes import ServiceError
from cluster.migrate import MigrationError
from cluster.objects import ObjectStorageUnavailable
from cluster.storage_errors import STORAGE_UNAVAILABLE
from features.auth.keys import NoSigningKey
from features.errors import DomainError

_SENTENCES = (ServiceError, MigrationError, NoSigningKey, UnknownConsumer, LogUnavailable)
"""Their messages are meant for people."""


def error_message(error: Exception, command: str) -> str:
    """What went wrong and what to do about it. `command` are the arguments of the command line."""
    if isinstance(error, _SENTENCES):
        return str(error)
    if isinstance(error, DomainError):
        return error.detail
    if isinstance(error, ValidationError):
        return _wrong_settings(error)
    if isinstance(error, PermissionError | FileNotFoundError | FileExistsError | IsADirectoryError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, httpx.HTTPError):
        return f"Ray's dashboard does not answer ({error}): 'entativa doctor' says what is wrong"
    if isinstance(error, ObjectStorageUnavailable):
        return f"object storage does not answer ({_first_line(error)}): 'entativa doctor' says what is wrong"
    if isinstance(error, STORAGE_UNAVAILABLE):
        return f"Postgres or Redis does not answer ({_first_line(error)}): 'entativa doctor' says what is wrong"
    return (
        f"unexpected {type(error).__name__} ({_first_line(error)}): "
        f"'entativa --debug {command}' prints the trace for a bug report"
    )


def _wrong_settings(error: ValidationError) -> str:
    prefix = "" if error.title == "Config" else "ENTATIVA_"
    found = (
        f"{prefix}{'__'.join(str(part) for part in one['loc']).upper()}: {one['msg'].lower()}" for one in error.errors()
    )
    return f"wrong settings: {'; '.join(found)} (docs/operations.md lists all)"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no message")
