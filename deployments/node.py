"""`entativa node`: the one place that knows how a node of a cluster is started, for `ray up`, systemd and containers.

`entativa up` starts the same node on a single machine, with servers of its own around it.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from api.platform import utc_now
from brands.catalogue import BRANDS
from cluster.local.processes import Processes, ServiceError
from cluster.migrate import migrate
from cluster.node import run
from cluster.node.environment import ray_environment
from cluster.node.environment_file import load_environment_file, new_environment_file
from cluster.node.serve_api import ServeApi, load_config
from cluster.node.settings import NodeSettings
from cluster.settings import Settings, load_settings
from deployments import signing_keys
from deployments.code_updates import as_json as code_as_json
from deployments.code_updates import read_runtimes, replace_other_code, summary
from deployments.console import console, step
from deployments.node_drain import empty_node

app = typer.Typer(no_args_is_help=True, help="The nodes of a cluster.")

PRODUCTION = Path("serve_config.production.yaml")
DRAIN_S = 45.0
"""Less than systemd waits until it kills (cluster/systemd/)."""

EnvironmentFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", envvar="ENTATIVA_ENV_FILE", help="Settings of the cluster [default: /etc/entativa.env]."
    ),
]
Block = Annotated[bool, typer.Option("--block", help="Stay until the node ends, and stop it on SIGTERM.")]


def _load(file: Path | None) -> tuple[Settings, NodeSettings, Processes]:
    with step("settings"):
        load_environment_file(file)
        # The file's variables are in the environment now, so the rest must not depend on where it lies.
        os.environ.pop("ENTATIVA_ENV_FILE", None)
        node, settings = NodeSettings(), load_settings()
        signing_keys.write_keys(settings.keys_directory, os.environ[signing_keys.VARIABLE])
        return settings, node, Processes(node.home)


@app.command()
def head(
    env_file: EnvironmentFile = None,
    config: Annotated[Path, typer.Option(help="What to deploy on Serve.")] = PRODUCTION,
    autoscaling_config: Annotated[
        Path | None, typer.Option(help="Where `ray up` has put the cluster's configuration.")
    ] = None,
    block: Block = False,
) -> None:
    """Start the head: migrate the databases, start Ray and deploy. Can be run again at any time."""
    settings, node, processes = _load(env_file)
    with step("migrations"):
        _migrate(settings)
    with step("metrics"):
        run.start_metrics(node, processes, os.environ)
    with step("Ray"):
        run.start_head(node, processes, os.environ, autoscaling_config=autoscaling_config)
    with step(f"deploy {config}"):
        # Not waited for: replicas find room as soon as workers have joined.
        ServeApi(node).deploy(load_config(config, node))
        replace_other_code(_databases(settings))
    if block:
        _wait(node, processes)


@app.command()
def worker(
    head: Annotated[str, typer.Option(envvar="RAY_HEAD_IP", help="The head's address.")],
    env_file: EnvironmentFile = None,
    block: Block = False,
) -> None:
    """Start a worker, which joins the head's cluster."""
    _, node, processes = _load(env_file)
    with step("metrics"):
        run.start_metrics(node, processes, os.environ)
    with step("Ray"):
        run.start_worker(node, processes, os.environ, head)
    if block:
        _wait(node, processes)


@app.command()
def stop(
    env_file: EnvironmentFile = None,
    drain_s: Annotated[
        float, typer.Option(help="How long a worker may take to be emptied; 0: stop at once.")
    ] = DRAIN_S,
) -> None:
    """Stop the node of this machine and nothing else; the other nodes go on. A worker's sockets, entities and requests
    go to other nodes first."""
    _, node, processes = _load(env_file)
    _stop(node, processes, drain_s)


def _stop(node: NodeSettings, processes: Processes, drain_s: float) -> None:
    try:
        if drain_s > 0 and not empty_node(processes, {**os.environ, **ray_environment(node)}, drain_s):
            console.print(f"[yellow]not empty[/] after {drain_s:g} s: stopping all the same")
    except ServiceError as error:
        console.print(f"[yellow]not drained[/] {error}")
    with step("stop the node"):
        run.stop_node(processes)


@app.command()
def deploy(
    config: Annotated[Path, typer.Argument(help="A Serve configuration.")] = PRODUCTION,
    env_file: EnvironmentFile = None,
) -> None:
    """On the head: deploy a Serve configuration and the code on the nodes' disks; no request is dropped. Entity hosts
    are replaced one at a time afterwards: `entativa node status` shows how far that is."""
    settings, node, _ = _load(env_file)
    with step("migrations"):
        _migrate(settings)
    with step(f"deploy {config}"):
        api, loaded = ServeApi(node), load_config(config, node)
        api.deploy(loaded)
        api.wait_for_applications({application["name"] for application in loaded["applications"]})
        # Only now: what cannot be served need not be hosted.
        replace_other_code(_databases(settings))


@app.command()
def status(env_file: EnvironmentFile = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say which version of the code each brand's entity hosts run, and how far an update is."""
    settings, _, _ = _load(env_file)
    found = read_runtimes(_databases(settings))
    if as_json:
        sys.stdout.write(json.dumps({brand: code_as_json(code) for brand, code in found.items()}) + "\n")
    for brand, code in found.items() if not as_json else ():
        console.print(f"{brand:<10} {summary(code)}")
        for host in code.hosts:
            console.print(f"           {host.name:<11} {host.version} on {host.node}{' (drains)' * host.draining}")
    if missing := BRANDS.keys() - found.keys():
        console.print(f"[red]failed[/]  no answer from the database of {', '.join(sorted(missing))}")
        raise typer.Exit(1)


def _databases(settings: Settings) -> dict[str, str]:
    return {brand: settings.databases[brand].get_secret_value() for brand in BRANDS}


def _migrate(settings: Settings) -> None:
    for address in _databases(settings).values():
        asyncio.run(migrate(address))


@app.command()
def environment(
    postgres: Annotated[str, typer.Option(help="postgresql://user:password@host, without a database.")],
    redis: Annotated[str, typer.Option(help="redis://:password@host:6379/0")],
    ray_storage: Annotated[str, typer.Option(help="redis://:password@host:6379, for Ray's own state.")],
    smtp: Annotated[str, typer.Option(help="smtp+starttls://user:password@host:587")],
    domain: Annotated[str, typer.Option(help="Where clients reach the platform.")],
) -> None:
    """Print a new environment file, with new secrets, for all nodes of a cluster."""
    sys.stdout.write(
        new_environment_file(
            sorted(BRANDS),
            signing_keys=signing_keys.variable_line(signing_keys.new_keys(sorted(BRANDS), utc_now())),
            postgres=postgres,
            redis=redis,
            ray_storage=ray_storage,
            smtp=smtp,
            domain=domain,
        )
    )


@app.command()
def keys(env_file: EnvironmentFile = None) -> None:
    """Bring the signing keys of the environment file to this node's running replicas."""
    _load(env_file)


@app.command()
def rotate_keys(
    file: Annotated[Path, typer.Argument(help="An environment file, which is changed.", exists=True)],
) -> None:
    """Add a new signing key per brand to an environment file. It signs ten minutes from now: until then, copy the file
    to every node and run 'entativa node keys' there. Tokens that the last key signed stay valid."""
    with step(f"new signing keys in {file}"):
        text = signing_keys.rotated(file.read_text(), utc_now())
        draft = file.with_name(f".{file.name}.draft")
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.rename(file)


def _wait(node: NodeSettings, processes: Processes) -> None:
    """Until Ray ends (exit code 1: whoever started this starts it again) or a signal says stop (0)."""

    def stop_asked(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_asked)
    try:
        while (ray := processes.find(run.RAY)) is not None:
            ray.wait()
    except KeyboardInterrupt:
        console.print("stopping")
        _stop(node, processes, DRAIN_S)
        raise typer.Exit(0) from None
    run.stop_node(processes)
    console.print("[red]failed[/]  Ray ended")
    raise typer.Exit(1)
