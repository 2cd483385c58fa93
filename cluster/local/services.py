"""Private Postgres and Redis servers for one installation: never the system's clusters, never as root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.local.processes import Processes, ServiceError, instance_id, require_port, service_user, wait_until

_LOOPBACK = "127.0.0.1"


def postgres_programs() -> Path:
    """The folder with initdb and postgres of the newest installed version (15 or later)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found or int(found[-1].parts[-3]) < 15:
        raise ServiceError(
            "PostgreSQL 15 or later is not installed: apt-get install postgresql-15 postgresql-15-postgis-3"
        )
    return found[-1].parent


def _own_directory(path: Path, user: str | None) -> Path:
    """A folder that the service's account can use. Where that account cannot enter the checkout (a clone under /root),
    the folder lies under /var/lib/entativa and `path` links to it."""
    if path.is_symlink():
        return path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path
    if user is not None and not path.exists() and not _can_enter(path.parent, user):
        place = Path("/var/lib/entativa") / f"{path.parent.name}-{instance_id(path)}" / path.name
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is not None:
        account = pwd.getpwnam(user)
        os.chown(place, account.pw_uid, account.pw_gid)
    place.chmod(0o700)
    if place != path:
        path.symlink_to(place)
    return place.resolve()


def _can_enter(path: Path, user: str) -> bool:
    account = pwd.getpwnam(user)
    probe = subprocess.run(  # noqa: S603
        ["/usr/bin/test", "-x", str(path.resolve())],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return probe.returncode == 0


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A Postgres cluster under `.local/postgres`, reached with a password."""

    processes: Processes
    port: int
    password: str
    durable: bool = True
    """False turns fsync off: for tests only."""
    listen: str = _LOOPBACK
    """The address under which it is reached; machines of that network may log in."""

    NAME = "postgres"

    def start(self) -> None:
        """Create the cluster if it is new and start it if it does not run. Raises ServiceError."""
        if self.processes.find(self.NAME) is not None:
            return
        require_port(self.port, "Postgres", "ENTATIVA_POSTGRES_PORT")
        programs, user = postgres_programs(), service_user("postgres")
        data = _own_directory(self.processes.root / "postgres", user)
        if not (data / "PG_VERSION").exists():
            self._create(programs, data, user)
        options = {
            "listen_addresses": ",".join({_LOOPBACK, self.listen}),
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "256MB",
            "jit": "off",
            "log_min_messages": "warning",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self.processes.start(self.NAME, [str(programs / "postgres"), "-D", str(data), *flags], user=user)
        wait_until(self._answers, timeout_s=30, what="Postgres")

    def _create(self, programs: Path, data: Path, user: str | None) -> None:
        shutil.rmtree(data, ignore_errors=True)
        _own_directory(data, user)
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write(self.password)
            secret.flush()
            if user is not None:
                os.chown(secret.name, pwd.getpwnam(user).pw_uid, -1)
            result = subprocess.run(  # noqa: S603
                [
                    str(programs / "initdb"),
                    *("-D", str(data), "-U", "entativa", "--encoding=UTF8", "--locale=C.UTF-8"),
                    *("--auth=scram-sha-256", f"--pwfile={secret.name}", "--no-instructions"),
                ],
                capture_output=True,
                text=True,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd="/",
                check=False,
            )
        if result.returncode != 0:
            raise ServiceError(f"initdb failed: {result.stderr.strip()}")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")

    def _answers(self) -> bool:
        if self.processes.find(self.NAME) is None:
            raise ServiceError(f"Postgres ended at its start:\n{self.processes.log_tail(self.NAME)}")
        ready = postgres_programs() / "pg_isready"
        return (
            subprocess.run(  # noqa: S603
                [str(ready), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"], check=False
            ).returncode
            == 0
        )

    def stop(self) -> bool:
        """A fast shutdown: open transactions are rolled back, nothing committed is lost."""
        return self.processes.stop(self.NAME, signal_number=signal.SIGINT)

    def address(self, database: str) -> str:
        return f"postgresql://entativa:{self.password}@{self.listen}:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis server under `.local/redis` with an append-only file."""

    processes: Processes
    port: int
    password: str
    durable: bool = True
    listen: str = _LOOPBACK
    """The address under which it is reached."""

    NAME = "redis"

    def start(self) -> None:
        """Start it if it does not run. Raises ServiceError."""
        if self.processes.find(self.NAME) is not None:
            return
        program = shutil.which("redis-server")
        if program is None:
            raise ServiceError("Redis is not installed: apt-get install redis-server")
        require_port(self.port, "Redis", "ENTATIVA_REDIS_PORT")
        user = service_user("redis")
        data = _own_directory(self.processes.root / "redis", user)
        configuration = data / "redis.conf"
        configuration.write_text(
            f"port {self.port}\nbind {' '.join({_LOOPBACK, self.listen})}\nrequirepass {self.password}\ndir {data}\n"
            f"appendonly {'yes' if self.durable else 'no'}\nappendfsync everysec\nsave ''\n"
            # A process title would be written over the environment, by which we know our processes.
            "set-proc-title no\n"
        )
        configuration.chmod(0o600)
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(configuration, account.pw_uid, account.pw_gid)
        self.processes.start(self.NAME, [program, str(configuration)], user=user)
        wait_until(self._answers, timeout_s=15, what="Redis")

    def _answers(self) -> bool:
        process = self.processes.find(self.NAME)
        if process is None:
            raise ServiceError(f"Redis ended at its start:\n{self.processes.log_tail(self.NAME)}")
        try:
            return any(c.status == psutil.CONN_LISTEN for c in process.net_connections())
        except psutil.Error:
            return False

    def stop(self) -> bool:
        return self.processes.stop(self.NAME)

    def address(self) -> str:
        return f"redis://:{self.password}@{self.listen}:{self.port}/0"
