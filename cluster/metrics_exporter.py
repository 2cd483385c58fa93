"""Serves the metrics of all processes of this node: ``python -m cluster.metrics_exporter PORT``."""

import signal
import sys

from prometheus_client import start_http_server

from cluster.metrics import node_registry


def main() -> None:
    """Serves until a signal says stop."""
    server, _ = start_http_server(int(sys.argv[1]), "127.0.0.1", node_registry())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.shutdown()


if __name__ == "__main__":
    main()
