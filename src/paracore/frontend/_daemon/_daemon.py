# SPDX-License-Identifier: Apache-2.0
"""The frontend daemon of a Xen guest: one socket for the guest's processes, one device towards the backend.

One thread, one event loop. It is on no data path: a process has its rings and pages by descriptor and talks to
the backend's worker itself. It trusts neither the processes nor the backend. What the processes make it hold is
bounded: by the limits that the toolstack has given the guest, and per user before those apply.

While there is no backend a process is told so, and may come again.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Final

from paracore.classes.link import Limit, Refusal
from paracore.frontend._daemon._device import Device
from paracore.frontend._daemon._process import Process
from paracore.frontend._daemon._users import Users
from paracore.transport import Refused, SocketWire
from paracore.transport.local import UnixSocket, credentials_of

if TYPE_CHECKING:
    import socket

    from paracore.frontend._daemon._holdings import Backend
    from paracore.frontend._daemon._settings import FrontendSettings
    from paracore.frontend._daemon._users import User
    from paracore.transport.xen import Hypervisor, Xenstore

__all__ = ["FrontendDaemon"]

_log = logging.getLogger("paracore.frontend")

_ACCEPTS: Final = 8
"""Arrivals served at a stretch."""
_NO_DESCRIPTORS: Final = 0.2
"""Seconds without accepting after the guest ran out of descriptors."""
_SPARE: Final = 8
"""Processes beyond the guest's channels that may be served: some just ending."""
_FAREWELL: Final = 2.0
"""Seconds that processes have to read their goodbyes, and the backend to let go of them, when the daemon stops."""


class FrontendDaemon:
    """See the module. The owner of the processes and of the device."""

    def __init__(self, settings: FrontendSettings, store: Xenstore, hypervisor: Hypervisor) -> None:
        self._socket = UnixSocket(settings.socket, settings.socket_mode, settings.group)
        self._device = Device(self, store, hypervisor, settings.device, settings.backend_timeout)
        self._backend: Backend | None = None
        self._users = Users()
        self._processes: dict[Process, User] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._listen()

    def stop(self) -> None:
        """Says goodbye to everybody; ``run`` returns soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Serves until ``stop``.

        Raises:
            TransportError: this is no guest, or it lacks something that the text names.
        """
        device = self._loop.create_task(self._device.run())
        stopping = self._loop.create_task(self._stopping.wait())
        try:
            await asyncio.wait((device, stopping), return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            await self._say_goodbye()
            self._device.stop()
            await device
        finally:
            device.cancel()
            stopping.cancel()

    async def _say_goodbye(self) -> None:
        for process in self._processes:
            process.end(Refusal.SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FAREWELL)

    # --- the device ---------------------------------------------------------------------------------

    def connected(self, backend: Backend) -> None:
        self._backend = backend
        _log.info("connected to the backend in domain %d", backend.remote)

    def disconnected(self, why: str) -> None:
        self._backend = None
        _log.warning("disconnected from the backend: %s", why)

    # --- arrivals -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        if not self._stopping.is_set():
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock = self._socket.accept()
            except OSError as error:
                _log.error("no process can be served: %s", error.strerror)
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(_NO_DESCRIPTORS, self._listen)
                return
            if sock is None:
                return
            self._arrived(sock)

    def _arrived(self, sock: socket.socket) -> None:
        who = credentials_of(sock)
        user = self._users.arrive(who.user)
        if user is None:
            sock.close()
            return
        process = Process(self, SocketWire(sock), who, user.bucket)
        self._processes[process] = user
        task = self._loop.create_task(self._serve(process, user))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, process: Process, user: User) -> None:
        try:
            await process.run()
        except Exception:  # noqa: BLE001 - a fault of ours, met by one process: the others go on
            user.log.write(logging.ERROR, "process %d: %s", process.who.process, traceback.format_exc())
        finally:
            del self._processes[process]
            self._users.leave(user, greeted=process.greeted)

    # --- what processes ask -------------------------------------------------------------------------

    def admit(self, process: Process) -> Backend:
        if self._backend is None:
            raise Refused(Refusal.NO_BACKEND)
        if sum(other.greeted for other in self._processes) >= self._backend.quota.limits.channels + _SPARE:
            raise Refused(Refusal.LIMIT, Limit.CHANNELS)
        self._processes[process].ungreeted -= 1
        return self._backend

    def complain(self, process: Process, text: str) -> None:
        log = self._processes[process].log
        log.write(logging.WARNING, "process %d of user %d: broke the protocol: %s", *process.who[:2], text)
