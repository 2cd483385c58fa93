"""S3Proxy: an S3 server over a local folder. It checks signatures, unlike other servers made for tests."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

import httpx

from cluster.local.processes import free_port

_VERSION = "4.1.0"
_JAR_SHA256 = "a4d025969aaf796616ed4b1e2491d87d455ce84bb28cb9db086b2e6aaa68b48d"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_FOLDER = Path(__file__).parent.parent / "peers" / "jars"
_START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server. `folder` has a folder per bucket with the objects as files."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    folder: Path
    pid: int

    def make_bucket(self, name: str) -> None:
        (self.folder / name).mkdir()


def _jar() -> Path:
    """Returns the path of the server's jar, from Maven Central if it is not there yet."""
    _FOLDER.mkdir(exist_ok=True)
    jar = _FOLDER / f"s3proxy-{_VERSION}-jar-with-dependencies.jar"
    with (Path(tempfile.gettempdir()) / f"s3proxy-{os.getuid()}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not jar.exists():
            with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
                artifact = f"org.gaul:s3proxy:{_VERSION}:jar:jar-with-dependencies"
                command = [
                    "mvn",
                    "-q",
                    "-B",
                    f"{_PLUGIN}:copy",
                    f"-Dartifact={artifact}",
                    f"-DoutputDirectory={folder}",
                ]
                subprocess.run(command, check=True, timeout=240, capture_output=True)
                downloaded = Path(folder) / jar.name
                found = sha256(downloaded.read_bytes()).hexdigest()
                if found != _JAR_SHA256:
                    raise RuntimeError(f"{jar.name} has the SHA-256 {found}")
                downloaded.rename(jar)
    return jar


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server on a free port, over an empty folder."""
    java = shutil.which("java")
    assert java, "no Java: setup/system-packages test"
    with tempfile.TemporaryDirectory(prefix="entativa-s3-") as root:
        folder, properties, port = Path(root) / "buckets", Path(root) / "s3proxy.conf", free_port()
        folder.mkdir()
        properties.write_text(
            "\n".join(
                [
                    "s3proxy.authorization=aws-v4",
                    "s3proxy.identity=test-key",
                    "s3proxy.credential=test-secret",
                    f"s3proxy.endpoint=http://127.0.0.1:{port}",
                    "jclouds.provider=filesystem-nio2",
                    f"jclouds.filesystem.basedir={folder}",
                ]
            )
        )
        with (Path(root) / "log").open("w") as log:
            command = [java, "-Xmx256m", "-jar", str(_jar()), "--properties", str(properties)]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            server = S3Server(f"http://127.0.0.1:{port}", "test-key", "test-secret", folder, process.pid)
            _wait_until_ready(server.endpoint, process, Path(root) / "log")
            yield server
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = monotonic() + _START_TIMEOUT_S
    while True:
        try:
            httpx.get(endpoint)
        except httpx.TransportError:
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"S3Proxy does not run:\n{log.read_text()[-4000:]}") from None
            sleep(0.1)
        else:
            return
