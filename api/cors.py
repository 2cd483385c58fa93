"""Cross-origin requests (the Fetch standard's CORS): web pages of the configured origins may use the API.

Without cookies: a page sends its access token itself, so that no other page can borrow it.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_UPLOADS = ("Tus-Resumable", "Upload-Concat", "Upload-Length", "Upload-Metadata", "Upload-Offset")
_SENT = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Range", "Traceparent"),
    *(*_UPLOADS, "Upload-Checksum", "X-HTTP-Method-Override"),
)
_SHOWN = (
    *("Accept-Ranges", "Content-Range", "ETag", "Idempotency-Replayed", "Location", "Retry-After"),
    *("WWW-Authenticate", "X-Trace-Id"),
    *(*_UPLOADS, "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size", "Tus-Version", "Upload-Expires"),
)


def allow_origins(app: ASGIApp, origins: Sequence[str]) -> CORSMiddleware:
    """Returns the application, for pages of these origins (``https://app.example``; ``*``: of all)."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_SHOWN,
        max_age=600,
    )
