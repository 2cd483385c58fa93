"""The errors of exports."""

from features.errors import Conflict, NotFound, RateLimited


class NoSuchExport(NotFound):
    """The account has no export, or it has expired; request one."""

    code = "no_such_export"
    detail = "There is no export; request one."


class ExportNotReady(Conflict):
    """The export is being made."""

    code = "export_not_ready"
    detail = "The export is being made; try again later."


class ExportJustRequested(RateLimited):
    """An export of this account was requested a short time ago."""

    code = "export_just_requested"
    detail = "An export was requested a short time ago."
