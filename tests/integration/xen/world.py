# SPDX-License-Identifier: Apache-2.0
"""Xen without Xen: a driver domain with the real supervisor and its workers, guests with the real frontend daemon.

All share a thread of this process, for the fake hypervisor knows one process; workers are processes of their own,
and so may be the programs of the guests.
"""

import asyncio
import shutil
import tempfile
import threading
from pathlib import Path

from paracore import toolstack
from paracore.backend import config_parse
from paracore.backend._supervisor import Supervisor
from paracore.backend._warm import launch
from paracore.frontend._daemon._daemon import FrontendDaemon
from paracore.frontend._daemon._settings import FrontendSettings
from paracore.protocol import XenbusState, xenbus_state
from paracore.testing import FakeXen, FakeXenstored
from paracore.transport.xen import XenListener, Xenstore

PATIENCE = 20.0
DRIVER_DOMAIN = 0

_CONFIGURATION = """
[backend]
socket = "{socket}"

[[device]]
name = "vpu0"
driver = "{driver}"
"""


class Guest:
    """One guest: its daemon, and where its programs connect."""

    def __init__(self, world, number):
        self.world = world
        self.number = number
        self.address = str(world.folder / f"guest{number}.sock")
        self.hypervisor = world.xen.domain(number)
        self._settings = FrontendSettings(socket=self.address, socket_mode=0o666, backend_timeout=1.0)
        self._daemon = None

    def start(self):
        self.world.do(self._start())
        return self

    async def _start(self):
        self._store = Xenstore.connect(self.world.xenstored.address(self.number))
        self._daemon = FrontendDaemon(self._settings, self._store, self.hypervisor)
        self._running = asyncio.create_task(self._daemon.run())

    def stop(self):
        if self._daemon:
            self.world.do(self._stop())

    async def _stop(self):
        self._daemon.stop()
        await self._running
        self._store.close()
        self._daemon = None

    def destroy(self):
        """As ``xl destroy`` does: xenstored and Xen forget the domain, nobody in it says a word."""
        self.world.do(self._destroy())

    async def _destroy(self):
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._daemon._socket.fileno())
        self._daemon._socket.close()
        self._daemon = None
        self.world.xenstored.release(self.number)
        self.world.xen.destroy(self.number)


class XenWorld:
    """See the module."""

    def __init__(self, driver="null"):
        self.folder = Path(tempfile.mkdtemp(prefix="paracore-xen-"))
        self.folder.chmod(0o755)
        self.xenstored = FakeXenstored(self.folder)
        self.xenstored.__enter__()
        self.xen = FakeXen()
        self.hypervisor = self.xen.domain(DRIVER_DOMAIN)
        self.config = config_parse(_CONFIGURATION.format(socket=self.folder / "backend.sock", driver=driver))
        self.guests = {}
        self.supervisor = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="xen world")
        self._thread.start()

    def do(self, coroutine):
        """The result of a coroutine in the world's thread."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, PATIENCE), self._loop).result()

    def guest(self, number):
        self.xenstored.introduce(number, f"guest{number}")
        self.guests[number] = Guest(self, number)
        return self.guests[number]

    # --- the driver domain --------------------------------------------------------------------------

    def start_backend(self):
        self.do(self._start_backend())

    async def _start_backend(self):
        self._launched = launch(self.config)
        self.supervisor = Supervisor(self.config, self._launched)
        address = self.xenstored.address(DRIVER_DOMAIN)
        self.supervisor.listen(XenListener(self.hypervisor, self.supervisor, address))
        self._running = asyncio.create_task(self.supervisor.run())

    def stop_backend(self):
        if self.supervisor:
            self.do(self._stop_backend())

    async def _stop_backend(self):
        self.supervisor.stop()
        await self._running
        self._end_warm()
        self.supervisor = None

    def _end_warm(self):
        self._launched.process.kill()
        self._launched.process.wait()
        self._launched.socket.close()

    # --- the toolstack ------------------------------------------------------------------------------

    def attach(self, number, timeout=PATIENCE / 2, **decided):
        self.do(self._attach(number, timeout, decided))

    async def _attach(self, number, patience, decided):
        async with Xenstore.connect(self.xenstored.address(0)) as store:
            domain = await toolstack.find_domain(store, str(number))
            await toolstack.attach(store, domain, ["vpu0"], timeout=patience, decided=decided)

    def detach(self, number, *, force=False):
        self.do(self._detach(number, force))

    async def _detach(self, number, force):
        async with Xenstore.connect(self.xenstored.address(0)) as store:
            domain = await toolstack.find_domain(store, str(number))
            await toolstack.detach(store, domain, force=force)

    async def _states(self, number):
        async with Xenstore.connect(self.xenstored.address(0)) as store:
            frontend = f"/local/domain/{number}/device/paracore/0/state"
            backend = f"/local/domain/0/backend/paracore/{number}/0/state"
            return xenbus_state(await store.read(frontend)), xenbus_state(await store.read(backend))

    def connected(self, number):
        return self.do(self._states(number)) == (XenbusState.CONNECTED, XenbusState.CONNECTED)

    def close(self):
        for guest in self.guests.values():
            guest.stop()
        self.stop_backend()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.xenstored.__exit__()
        shutil.rmtree(self.folder)
