"""A whole cluster on this machine, started by cluster.yaml's own commands: a head, workers and their servers."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import yaml

from cluster.local.databases import create_databases
from cluster.local.machines import Machine, network
from cluster.local.processes import Processes, free_port
from cluster.local.services import PostgresServer, RedisServer

ENTITY_HOSTS = 2
"""Of each brand, however high its load: no node joins here, and one more would take a dead gateway's place."""
HEAD_COMMANDS, WORKER_COMMANDS = "head_start_ray_commands", "worker_start_ray_commands"
CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """The machines, and what `ray up` would run on them."""

    head: Machine
    workers: list[Machine]
    mail_folder: Path
    commands: Mapping[str, list[str]]
    http_port: int = 8000

    @property
    def machines(self) -> list[Machine]:
        return [self.head, *self.workers]

    def address(self, machine: Machine) -> str:
        """Where the machine's own proxy answers."""
        return f"http://{machine.address}:{self.http_port}"

    def start(self, machine: Machine) -> None:
        """Start the node of this machine, the first time or again. Raises ServiceError."""
        machine.connect()
        for command in self.commands[HEAD_COMMANDS if machine is self.head else WORKER_COMMANDS]:
            machine.run(command)

    def stop(self, machine: Machine) -> None:
        """Stop the node of this machine."""
        machine.run("cd ~/entativa && .venv/bin/entativa node stop")


@contextlib.contextmanager
def local_cluster(
    brands: Sequence[str],
    *,
    workers: int = 2,
    settings: Mapping[str, str] | None = None,
    durable: bool = True,
    file: Path = CHECKOUT / "cluster.yaml",
) -> Iterator[LocalCluster]:
    """A head that takes no work and workers with four CPUs each, none of which is started yet; everything ends with the
    context. `settings` are added to the cluster's environment file."""
    # Not in a private folder: the accounts that the servers run as must pass through.
    folder = Path(tempfile.mkdtemp(prefix="entativa-cluster-"))
    folder.chmod(0o755)
    processes = Processes(folder)
    password = secrets.token_hex(8)
    names = ["head", *(f"worker{number}" for number in range(1, workers + 1))]
    try:
        with network(names, folder) as (gateway, machines):
            postgres = PostgresServer(processes, free_port(), password, durable=durable, listen=gateway)
            redis = RedisServer(processes, free_port(), password, durable=durable, listen=gateway)
            smtp_port, mail_folder = free_port(), folder / "mail"
            try:
                postgres.start()
                redis.start()
                mail_sink = [sys.executable, "-m", "cluster.local.mail_sink", str(smtp_port), str(mail_folder), gateway]
                processes.start("mail", mail_sink)
                asyncio.run(create_databases(postgres.address("postgres"), list(brands)))
                environment_file = folder / "entativa.env"
                environment_file.write_text(
                    _environment(postgres, redis, f"smtp://{gateway}:{smtp_port}")
                    + f"ENTATIVA_ENTITY_HOSTS={ENTITY_HOSTS}\nENTATIVA_ENTITY_HOSTS_MAX={ENTITY_HOSTS}\n"
                    + "".join(f"{name}='{value}'\n" for name, value in (settings or {}).items())
                )
                config = yaml.safe_load(file.read_text())
                made = [_furnish(machine, machines[0], environment_file, config) for machine in machines]
                yield LocalCluster(made[0], made[1:], mail_folder, config)
            finally:
                for machine in machines:
                    for process in machine.processes():
                        with contextlib.suppress(psutil.NoSuchProcess):
                            process.kill()
                processes.stop("mail")
                redis.stop()
                postgres.stop()
                processes.sweep()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(postgres: PostgresServer, redis: RedisServer, smtp: str) -> str:
    """What `entativa node environment` prints for these servers."""
    options = {
        "--postgres": postgres.address("").rstrip("/"),
        "--redis": redis.address(),
        "--ray-storage": redis.address(),
        "--smtp": smtp,
        "--domain": "example.net",
    }
    command = [str(CHECKOUT / ".venv/bin/entativa"), "node", "environment"]
    arguments = [part for option in options.items() for part in option]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S603


def _furnish(machine: Machine, head: Machine, environment_file: Path, config: Mapping[str, object]) -> Machine:
    """Puts the checkout and Ray's file into the machine's home, as `ray up` does."""
    machine.home.mkdir(parents=True)
    (machine.home / "entativa").symlink_to(CHECKOUT)
    # What `ray up` makes of the file, except that the machines are there already: Ray has none to start.
    bootstrap = {
        **config,
        **{"provider": {"type": "readonly"}, "docker": {}, "file_mounts": {}},
        **{"cluster_synced_files": [], "file_mounts_sync_continuously": False, "max_workers": 0},
        "available_node_types": {"local": {"node_config": {}, "resources": {}, "min_workers": 0, "max_workers": 0}},
        "head_node_type": "local",
    }
    (machine.home / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(bootstrap))
    environment = {
        "ENTATIVA_ENV_FILE": str(environment_file),
        "ENTATIVA_NODE_CPUS": "0" if machine is head else "4",
        "ENTATIVA_KEYS_DIRECTORY": str(machine.state / "keys"),
        "ENTATIVA_OBJECTS_URL": str(environment_file.parent / "objects"),
        "ENTATIVA_METRICS_DIRECTORY": str(machine.state / "metrics"),
        "RAY_HEAD_IP": head.address,
    }
    return replace(machine, environment=environment)
