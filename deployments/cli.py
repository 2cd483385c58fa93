"""The command line `entativa`, which stands behind the make targets.

It sits on top of everything (it wires brands, storage and Serve together), hence not in cluster/
(docs/decisions/command-line.md).
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.markup import escape

from api.platform import utc_now
from brands.catalogue import BRANDS
from cluster.local.databases import create_databases
from cluster.local.installation import Installation
from cluster.local.mail_sink import filed_mails
from cluster.local.processes import require_port, wait_until
from cluster.logs import configure_logs
from cluster.migrate import migrate
from cluster.node import run
from cluster.node.serve_api import ServeApi, load_config
from deployments import accounts, counts, dead_letters, demo, doctor, events, evidence, node, reports, videos
from deployments.backup_command import app as backup
from deployments.chat_command import chat
from deployments.code_updates import as_json as code_as_json
from deployments.code_updates import read_runtimes, replace_other_code, summary
from deployments.console import console, step
from deployments.error_messages import error_message
from deployments.legal_export import legal_export
from features.auth.keys import SIGNS_AFTER, ensure_key, rotate

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
keys = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens.")
app.add_typer(keys, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(counts.app, name="counts")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(evidence.app, name="evidence")
app.add_typer(node.app, name="node")
app.add_typer(events.app, name="events")
app.add_typer(reports.app, name="reports")
app.add_typer(videos.app, name="videos")
app.command()(chat)
app.command()(legal_export)
app.add_typer(backup, name="backup")

CONFIG = Path("serve_config.yaml")


_debug = False


def main() -> None:
    """The program `entativa`. An error ends it with one sentence and exit code 1."""
    configure_logs(process="entativa")  # to standard error: what a command prints is for programs, too
    try:
        app()
    except Exception as error:
        if _debug:
            raise
        console.print(f"[red]error[/]   {escape(error_message(error, ' '.join(sys.argv[1:])))}")
        sys.exit(1)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Print the trace of an error.")] = False) -> None:
    """Runs and looks after a platform."""
    global _debug
    _debug = debug


def _installation() -> Installation:
    return Installation(sorted(BRANDS))


@app.command()
def up(config: Annotated[Path, typer.Option(help="What to deploy on Serve.")] = CONFIG) -> None:
    """Start everything that does not run yet, migrate both databases, and wait until both brands answer."""
    installation = _installation()
    if installation.private_postgres:
        with step("Postgres"):
            installation.postgres.start()
    if installation.private_redis:
        with step("Redis"):
            installation.redis.start()
    if installation.private_mail:
        with step("mail sink"):
            _start_mail_sink(installation)
    with step("migrations"):
        _migrate(installation)
    with step("signing keys"):
        for brand in BRANDS:
            ensure_key(installation.home / "keys" / brand, utc_now())
    with step("metrics"):
        run.start_metrics(installation.node, installation.processes, installation.environment())
    with step("Ray"):
        run.start_head(installation.node, installation.processes, installation.environment())
    with step("Serve applications"):
        _deploy(installation, config)
    with step("both brands answer"):
        wait_until(lambda: _all_ready(installation), timeout_s=60, what="the gateways")
    _print_addresses(installation)


def _start_mail_sink(installation: Installation) -> None:
    port = installation.ports.smtp_port
    command = [sys.executable, "-m", "cluster.local.mail_sink", str(port)]
    if installation.processes.find("mail") is None:
        require_port(port, "the mail sink", "ENTATIVA_SMTP_PORT")
        installation.processes.start("mail", [*command, str(installation.mail_folder)])


def _migrate(installation: Installation) -> None:
    addresses = installation.databases()
    if installation.private_postgres:
        asyncio.run(create_databases(installation.postgres.address("postgres"), list(BRANDS)))
    for brand in BRANDS:
        asyncio.run(migrate(addresses[brand]))


def _deploy(installation: Installation, config: Path) -> None:
    loaded, api = load_config(config, installation.node), ServeApi(installation.node)
    api.deploy(loaded)
    api.wait_for_applications({application["name"] for application in loaded["applications"]})
    # Only now: what cannot be served need not be hosted.
    replace_other_code(installation.databases())


def _ready(installation: Installation, brand: str) -> bool:
    try:
        return httpx.get(f"{installation.base_url}/{brand}/health/ready", timeout=3).is_success
    except httpx.HTTPError:
        return False


def _all_ready(installation: Installation) -> bool:
    return all(_ready(installation, brand) for brand in BRANDS)


def _print_addresses(installation: Installation) -> None:
    for name, value in installation.addresses().items():
        shown = value if isinstance(value, str) else f"{value['api']}   docs: {value['docs']}"
        console.print(f"{name:<10} {shown}")


@app.command()
def down() -> None:
    """Stop what `up` started, and nothing else. Data stays."""
    installation = _installation()
    processes = installation.processes
    for name, stop in {
        "Ray": lambda: run.stop_platform(installation.node, processes),
        "metrics": lambda: processes.stop(run.METRICS),
        "mail sink": lambda: processes.stop("mail"),
        "Redis": installation.redis.stop,
        "Postgres": installation.postgres.stop,
    }.items():
        with step(f"stop {name}"):
            stop()
    left = processes.sweep()
    if left:
        console.print(f"ended {left} processes that were left")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Say where everything answers, whether it does (exit code 1: not everything), and which code it runs."""
    installation = _installation()
    ready = {brand: _ready(installation, brand) for brand in BRANDS}
    code = read_runtimes(installation.databases()) if installation.processes.find(run.RAY) else {}
    if as_json:
        shown = installation.addresses()
        for brand, found in code.items():
            shown[brand]["code"] = code_as_json(found)
        sys.stdout.write(json.dumps(shown) + "\n")
    else:
        _print_addresses(installation)
        for name in ("postgres", "redis", "mail", "metrics", run.RAY):
            console.print(f"{name:<10} {'runs' if installation.processes.find(name) else 'does not run'}")
        for brand, answers in ready.items():
            console.print(f"{brand:<10} {'answers' if answers else 'does not answer'}")
        for brand, found in code.items():
            console.print(f"{brand:<10} code: {summary(found)}")
    if not all(ready.values()):
        raise typer.Exit(1)


@app.command()
def deploy(config: Annotated[Path, typer.Argument(help="A Serve configuration.")] = CONFIG) -> None:
    """Deploy a Serve configuration, and the code on disk, on the running platform; no request is dropped. Entity hosts
    are replaced one at a time afterwards: `entativa status` shows how far that is."""
    installation = _installation()
    with step("migrations"):
        _migrate(installation)
    with step(f"deploy {config}"):
        _deploy(installation, config)


@app.command(name="migrate")
def migrate_databases() -> None:
    """Apply the migrations that are missing, on both databases."""
    with step("migrations"):
        _migrate(_installation())


@app.command(name="doctor")
def check() -> None:
    """Name what is wrong and how to fix it (exit code 1: something is)."""
    findings = doctor.examine(_installation())
    for finding in findings:
        console.print(f"{'[green]ok[/]    ' if finding.ok else '[red]wrong[/] '} {escape(finding.what)}")
        if not finding.ok:
            console.print(f"       {escape(finding.fix)}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def mail(
    to: Annotated[str | None, typer.Argument(help="Only mails to this address.")] = None,
    count: Annotated[int, typer.Option(help="How many at most.")] = 1,
) -> None:
    """Show what the local mail sink caught, newest first."""
    for found in filed_mails(_installation().mail_folder, to)[:count]:
        sys.stdout.write(f"To: {found.to}\nSubject: {found.subject}\n\n{found.text}\n")


@app.command(name="demo")
def fill_demo() -> None:
    """Fill both brands with demo accounts, connections and posts, and print two logins."""
    installation = _installation()
    logins = [demo.fill(installation, brand) for brand in BRANDS.values()]
    for login in logins:
        console.print(f"{login.brand}: log in as {login.username} with the password {login.password}")


@keys.command(name="rotate")
def rotate_keys() -> None:
    """Make a new signing key per brand, which signs ten minutes later; tokens that an older key signed stay valid until
    they expire. After a leak, delete the leaked key's file: the new key then signs at once."""
    installation = _installation()
    for brand in BRANDS.values():
        kid, removed = rotate(installation.home / "keys" / brand.name, utc_now(), keep=timedelta(hours=1))
        console.print(
            f"{brand.name}: {kid} is published, and signs in {SIGNS_AFTER.seconds // 60} minutes"
            + (f", removed {', '.join(removed)}" if removed else "")
        )


if __name__ == "__main__":
    main()
