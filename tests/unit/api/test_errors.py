"""The bodies of errors do not depend on the version of Python."""

import orjson
import pytest
from starlette.exceptions import HTTPException

from api.error_catalogue import all_codes
from api.errors import problem, render_http_error


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (400, "bad_request", "Bad Request"),
        (404, "not_found", "Not Found"),
        (405, "method_not_allowed", "Method Not Allowed"),
        (413, "http_413", "Content Too Large"),
        (422, "http_422", "Unprocessable Content"),
        (418, "http_418", "HTTP 418"),
    ],
)
def test_errors_of_the_framework_have_codes_and_titles_of_our_own(status: int, code: str, title: str) -> None:
    body = orjson.loads(render_http_error(HTTPException(status, "because"), "entativa").body)
    assert (body["status"], body["code"], body["title"], body["detail"]) == (status, code, title, "because")
    assert body["type"] == f"urn:entativa:problem:{code}"


def test_every_declared_code_has_the_title_of_its_status() -> None:
    titles = {orjson.loads(problem("entativa", code).body)["title"] for code in all_codes()}
    assert not any(title.startswith("HTTP ") for title in titles)
