# SPDX-License-Identifier: Apache-2.0
"""A backend for one program: its own child, for its own user only, gone when the program has gone.

The child reads a lifeline whose other end only the program has. The kernel closes that end with the
program, however it ends; the child then ends its workers and removes its socket.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paracore._errors import DeviceLost, Error
from paracore.backend._boot import python

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["PrivateBackend", "main"]

_READY = 30.0
"""Seconds until a private backend has to be there; it takes a fraction of one."""
_END = 5.0


class PrivateBackend:
    """Starts a backend for this process's user alone, and ends it.

    ::

        with PrivateBackend() as backend, paracore.open(backend.address) as domain: ...

    Args:
        driver: which driver its one device ``vpu0`` has.
        options: the driver's own.
    """

    def __init__(self, driver: str = "libav", options: dict[str, Any] | None = None) -> None:
        self._settings = {"driver": driver, "options": options or {}}
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._folder = ""
        self.address = ""

    @property
    def pid(self) -> int:
        """The supervisor's process, 0 when there is none."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts it and waits until it can be connected to.

        Raises:
            DeviceLost: it ended instead; its standard error says why.
        """
        self._folder = tempfile.mkdtemp(prefix="paracore-")
        self.address = str(Path(self._folder, "paracore.sock"))
        try:
            ready = self._wait_ready(self._launch())
        except OSError as error:
            self.close()
            raise DeviceLost("paracore", error.errno or 0, "the private backend did not start") from error
        if not ready:
            self.close()
            raise DeviceLost("paracore", 0, "the private backend did not start")

    def _launch(self) -> socket.socket:
        self._lifeline, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                python("_private", theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt at the terminal is for the program, which ends this one
            )
        return self._lifeline

    def _wait_ready(self, lifeline: socket.socket) -> bool:
        lifeline.settimeout(_READY)
        lifeline.sendall(json.dumps({"folder": self._folder, **self._settings}).encode() + b"\n")
        return bool(lifeline.recv(1))

    def close(self) -> None:
        """Ends it and waits for its end. Idempotent."""
        if self._lifeline:
            self._lifeline.close()
            self._lifeline = None
        if self._process:
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)


def main(lifeline: int) -> None:
    """Entry point of the child."""
    from paracore.backend._config import config_private  # noqa: PLC0415 - the program above needs neither
    from paracore.backend._serve import serve  # noqa: PLC0415

    line = socket.socket(fileno=lifeline)
    with line.makefile("rb") as lines:
        settings = json.loads(lines.readline())
    folder = settings.pop("folder")
    config = config_private(str(Path(folder, "paracore.sock")), **settings)
    try:
        serve(config, ready=lambda: line.sendall(b"."), lifeline=lifeline)
    except Error as error:
        sys.exit(f"paracore: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
