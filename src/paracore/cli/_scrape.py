# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of ``paracore metrics``. Scrapers are not trusted: each has a thread, and seconds to say something."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["serve"]

#: Seconds that a scraper may keep a connection silent.
_SILENCE = 10.0


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Scrapes are not worth a line."""


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per scraper: a slow one keeps nobody waiting."""

    daemon_threads = True


class _UnixServer(_Server):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """As ``HTTPServer`` does, which knows of hosts and ports only."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """The handler wants to know whose it is: a host's."""
        return super().get_request()[0], ("localhost", 0)


def serve(registry: CollectorRegistry, place: int | str) -> None:
    """Serves on a port of the loopback interface, or on a Unix socket, until it is interrupted.

    Raises:
        OSError: the place cannot be had.
    """
    if isinstance(place, int):
        server, address = _Server(("127.0.0.1", place), _Handler), f"http://127.0.0.1:{place}/metrics"
    else:
        _remove_stale(Path(place))
        server, address = _UnixServer(place, _Handler), place  # type: ignore[arg-type]  # typeshed knows hosts only
    server.set_app(make_wsgi_app(registry))
    signal.signal(signal.SIGTERM, _end)
    print(f"serving at {address}", flush=True)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        if isinstance(place, str):
            Path(place).unlink(missing_ok=True)


def _end(*_: object) -> None:
    sys.exit(0)


def _remove_stale(path: Path) -> None:
    """Removes the socket of a process that was killed; one on which somebody listens stays, and binding fails."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
        probe.connect(str(path))
        return
    path.unlink()
