# SPDX-License-Identifier: Apache-2.0
"""paracore on a board: the backend in dom0, guests that are attached to it and have a frontend daemon."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from testbed._board import Board
    from testbed._remote import Process

__all__ = ["CONFIGURATION", "Scene"]

#: The codecs of libav, those of dom0's kernel, and programs of dom0 itself as a domain beside the guests.
CONFIGURATION = """
[backend]
worker_linger = 600.0
[[device]]
name = "vpu0"
driver = "libav"
[[device]]
name = "vpu1"
driver = "v4l2"
[[domain]]
name = "dom0"
user = 0
"""

_FILE = "/etc/paracore.toml"

#: Seconds: the host may be at other things, as it is when all tests run.
_PATIENCE = 180


class Scene:
    """A context manager; what it has started ends with it. ``drivers`` is the domain that the backend runs in."""

    def __init__(self, board: Board, drivers: str = "dom0") -> None:
        self.board = board
        self.drivers = drivers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, configuration: str = CONFIGURATION) -> Process:
        """Starts the backend."""
        self.board.run(self.drivers, "modprobe", "-a", "vicodec", "vim2m")
        self.board.write_file(self.drivers, _FILE, configuration.encode())
        server = self.board.start(self.drivers, "paracore", "serve", "--config", _FILE, "--xen")
        self._stack.callback(server.close)
        server.wait_output("serving", timeout=_PATIENCE)
        return server

    def frontend(self, guest: str, *options: str) -> Process:
        """Starts the daemon of a guest; every program there may use it."""
        daemon = self.board.start(guest, "paracore", "frontend", "--socket-mode", "666", *options)
        self._stack.callback(daemon.close)
        return daemon

    def attach(self, guest: str, *devices: str, options: tuple[str, ...] = ()) -> None:
        """Attaches devices to a guest, and waits until both ends are connected."""
        backend = str(self.board.domid(self.drivers)) if self.drivers != "dom0" else "0"
        words = ("paracore", "attach", guest, *devices, "--backend", backend, "--timeout", str(_PATIENCE), *options)
        self.board.run("dom0", *words, timeout=_PATIENCE + 30)

    def detach(self, guest: str, *options: str, timeout: float = _PATIENCE) -> None:
        """Detaches all that a guest has."""
        self.board.run("dom0", "paracore", "detach", guest, *options, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """What the backend says of itself."""
        return dict(json.loads(self.board.run(self.drivers, "paracore", "list", "--json").output))
