"""What the kernel tells of a connection whose other end reads nothing."""

from __future__ import annotations

import socket

from actors.runtime.transport.acknowledgements import Acknowledgements


def test_a_process_that_reads_nothing_is_not_taken_for_a_node_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
        acknowledgements = Acknowledgements(here)
        here.sendall(b"x" * 1000)
        assert not any(acknowledgements.overdue(float(now)) for now in range(100))
