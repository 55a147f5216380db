# SPDX-License-Identifier: Apache-2.0
"""The supervisor's end of the warm parent (``_zygote``): starts it, orders workers of it, hears of their ends.

It runs as a fresh program rather than as a fork of the supervisor, so that it can be started again when
it dies and never has anything of the supervisor's: no socket, no memory, no event loop. ``launch`` needs
no event loop either, so that the warm parent loads its drivers while the supervisor is still being loaded.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from paracore._errors import ConfigError
from paracore.backend._boot import python
from paracore.backend._config import worker_identity
from paracore.backend._handover import WarmState
from paracore.backend._orders import ORDER_MAX, order_octets, order_parse
from paracore.transport import SocketWire

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from paracore.backend._config import Config, DeviceSection
    from paracore.transport import Packet

__all__ = ["Launched", "Process", "WarmParent", "check_sandbox", "launch"]


class Process(Protocol):
    """A child of this process."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    def wait(self) -> int:
        """Its exit code. May be asked again."""


class Inherited:
    """A ``Process`` that the last program image has started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def kill(self) -> None:
        """Ends it."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """See ``Process``."""
        if self._code is None:
            _, status = os.waitpid(self.pid, 0)
            self._code = os.waitstatus_to_exitcode(status)
        return self._code


class Launched(NamedTuple):
    """A warm parent that is loading, and the socket to it."""

    process: Process
    socket: socket.socket


def launch(config: Config) -> Launched:
    """Starts a warm parent with the devices of the configuration.

    Raises:
        OSError: there is no room for a process.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * ORDER_MAX)
    with ExitStack() as made:
        made.enter_context(ours)
        with theirs:
            process = subprocess.Popen(
                python("_zygote", theirs.fileno(), os.getpid()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.send(order_octets(_start(config)))
        made.pop_all()
    return Launched(process, ours)


def check_sandbox(config: Config, said: dict[str, Any]) -> None:
    """Refuses what a warm parent is ready with, if the configuration requires more.

    Raises:
        ConfigError: workers would not be confined as they have to be.
    """
    if config.backend.sandbox == "required" and not (said["landlock"] and said["seccomp"]):
        raise ConfigError("backend.sandbox", "is required, and this kernel has not all of it (see the log)")


def _start(config: Config) -> dict[str, Any]:
    return {
        "devices": [_device(section) for section in config.device],
        "user": worker_identity(config.backend.worker_user) if os.geteuid() == 0 else None,
        "log_level": config.backend.log_level,
        "spin_ns": round(config.backend.worker_spin * 1e9),
    }


def _device(section: DeviceSection) -> dict[str, Any]:
    return {
        "name": section.name,
        "driver": section.driver,
        "options": section.options,
        "job_deadline": section.job_deadline,
    }


class WarmParent:
    """See the module.

    Args:
        launched: what ``launch`` has started.
        loop: the supervisor's.
        heard: called with each thing that the warm parent says and the descriptors that came along.
        lost: called when it has died, with this object.

    Attributes:
        workers: numbers of those whose ends it has still to tell.
    """

    def __init__(
        self,
        launched: Launched,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[dict[str, Any], tuple[int, ...]], None],
        lost: Callable[[WarmParent], None],
    ) -> None:
        self.workers: set[int] = set()
        self._process = launched.process
        self._wire = SocketWire(launched.socket, descriptors_max=1, size_max=ORDER_MAX)
        self._loop = loop
        self._heard = heard
        self._lost = lost
        self._closed = False
        loop.add_reader(self._wire.fileno(), self._receive)

    def spawn(self, order: dict[str, Any], descriptors: tuple[int, int]) -> None:
        """Orders a worker.

        Raises:
            TransportBroken: the warm parent is dying; ``lost`` will be called.
        """
        self.workers.add(order["spawn"])
        self._wire.send(order_octets(order), descriptors)

    @classmethod
    def adopted(
        cls,
        state: WarmState,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[dict[str, Any], tuple[int, ...]], None],
        lost: Callable[[WarmParent], None],
    ) -> WarmParent:
        """One of the last program image. It has the code and the devices of that time, and gets no orders any more."""
        made = cls(Launched(Inherited(state.pid), socket.socket(fileno=state.socket)), loop, heard, lost)
        made.workers.update(state.workers)
        return made

    def hand_over(self) -> WarmState:
        """What the next program image needs to hear it."""
        return WarmState(self._process.pid, self._wire.fileno(), tuple(self.workers))

    def close(self) -> None:
        """Ends it and with it whatever workers are left. Its end is awaited: it has nothing to finish.

        Idempotent.
        """
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._wire.fileno())
        self._wire.close()
        self._process.kill()
        self._process.wait()

    def _receive(self) -> None:
        while not self._closed and (packet := self._wire.receive()) is not None:
            if not packet.message:
                self.close()
                self._lost(self)
                return
            self._hear(packet)

    def _hear(self, packet: Packet) -> None:
        said = order_parse(packet.message)
        self.workers.discard(said.get("ended", 0))
        self._heard(said, packet.descriptors)
