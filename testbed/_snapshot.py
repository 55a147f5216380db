# SPDX-License-Identifier: Apache-2.0
"""Snapshots: a board whose guests run already, kept in files, from which others go on within a second.

The board's memory is a file that later boards map privately: they share what they do not change, and load what they
touch. What else a machine is, its processors and devices, is the stream of a migration. A snapshot is made anew when
anything has changed that it was made of; the project's own files are not among that, a board that goes on is brought
them.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qemu.qmp import QMPClient, QMPError

from testbed import _qemu
from testbed._digest import Stamp
from testbed._errors import TestbedError
from testbed._paths import BUILD
from testbed._run import run

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from testbed._image import Image

__all__ = ["Snapshot", "go_on", "save"]

_PAUSE: Final = 0.05
_CAPABILITIES: Final = [{"capability": "x-ignore-shared", "state": True}]
"""Memory that is a shared file is not part of the stream."""


class Snapshot:
    """The files of one: of a board with these guests, made with these options.

    Attributes:
        folder: where they lie; ``board`` in it is the folder of the board that it was made of.
    """

    def __init__(self, image: Image, options: _qemu.Options, guests: Sequence[str]) -> None:
        made_of = (*guests, repr(options))
        name = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
        self.folder = BUILD / "snapshots" / name
        self.memory = self.folder / "memory"
        self.state = self.folder / "state"
        self.board = self.folder / "board"
        texts = (*made_of, image.digest, run("qemu-system-aarch64", "--version"))
        self._stamp = Stamp(self.folder / "stamp", texts=texts, files=[Path(_qemu.__file__)])

    def is_current(self) -> bool:
        """Says whether it is there, and made of what there is now."""
        return self._stamp.is_current()

    def forget(self) -> None:
        """It is to be made anew."""
        with self.alone():
            (self.folder / "stamp").unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps those apart that would make it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def being_made(self) -> Iterator[None]:
        """Inside, its files are written; if that fails there is none."""
        for path in (self.folder / "stamp", self.memory, self.state):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.board, ignore_errors=True)
        self.memory.touch(mode=0o600)
        self.state.touch(mode=0o600)
        yield
        self._stamp.set()


def save(monitor: socket.socket, state: Path) -> None:
    """Writes all of a machine but its memory, and stops it."""
    asyncio.run(_migrate(monitor, "migrate", f"exec:cat >{shlex.quote(str(state))}"))


def go_on(monitor: socket.socket, state: Path) -> None:
    """Lets a machine that waits for it go on from there."""
    asyncio.run(_migrate(monitor, "migrate-incoming", f"exec:cat {shlex.quote(str(state))}"))


async def _migrate(monitor: socket.socket, verb: str, where: str) -> None:
    client = QMPClient("board")
    try:
        await client.connect(monitor)
        await client.execute("migrate-set-capabilities", {"capabilities": _CAPABILITIES})
        await client.execute(verb, {"uri": where})
        while (status := await _status(client)) != "completed":
            if status == "failed":
                raise TestbedError(f"the board could not {verb}; see qemu.log in its folder")
            await asyncio.sleep(_PAUSE)
        await client.disconnect()
    except QMPError as error:
        raise TestbedError(f"the board could not {verb}: {error}") from error


async def _status(client: QMPClient) -> str:
    said = await client.execute("query-migrate")
    assert isinstance(said, dict)
    return str(said.get("status", "none"))
