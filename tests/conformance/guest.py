# SPDX-License-Identifier: Apache-2.0
"""The transport between a guest and its backend, on a machine without Xen, in the shape that the shipped suite wants.

A frontend is a program of the guest and links what programs link; between it and the backend stand the guest's
daemon, the control ring and the backend's own listener. They live in an event loop in a thread of its own, where
the suite's ports are served, too.
"""

import asyncio
import tempfile
import threading

from paracore.frontend._daemon._daemon import FrontendDaemon
from paracore.frontend._daemon._settings import FrontendSettings
from paracore.protocol import Attachment, backend_path, frontend_path
from paracore.testing import FakeXen, FakeXenstored
from paracore.transport import Listener, Port
from paracore.transport.local import LocalTransport
from paracore.transport.xen import XenListener, Xenstore

GUEST = 3
PATIENCE = 10


class Everywhere:
    """The suite's policy, for a listener that was there before it: known from the first ``accept`` on."""

    def __init__(self):
        self.host = None

    def __getattr__(self, name):
        return getattr(self.host, name)

    def attach(self, identity, attachment):
        pass

    def detach(self, identity, *, destroyed):
        pass

    def violated(self, identity, text):
        raise AssertionError(text)

    def account(self, identity):
        return {}


class ThreadedPort(Port):
    """A port of the loop's thread, called from others."""

    def __init__(self, listener, port):
        self._call = listener.call
        self._port = port
        self.peer = port.peer
        listener.policy.ports[port] = self

    def fileno(self):
        return self._port.fileno()

    def receive(self):
        return self._call(self._port.receive)

    def goodbye(self, reason, limit=None):
        self._call(lambda: self._port.goodbye(reason, limit))

    def map(self, grant, length, flags):
        return self._call(lambda: self._port.map(grant, length, flags))

    def unmap(self, grant):
        self._call(lambda: self._port.unmap(grant))

    def close(self):
        self._call(self._port.close)
        self._call(self._port.released)  # the suite's loop is closed with the test


class Policy(Everywhere):
    """Shows the suite its own ports."""

    def __init__(self):
        super().__init__()
        self.ports = {}

    def admit(self, port):
        return self.host.admit(self.ports[port])

    def channel_open(self, port, ring_order, descriptors):
        return self.host.channel_open(self.ports[port], ring_order, descriptors)


class MachineListener(Listener):
    """The whole machine; it ends with this."""

    def __init__(self, address):
        self.folder = tempfile.TemporaryDirectory(prefix="paracore-xen-")
        self.xenstored = FakeXenstored(self.folder.name).__enter__()
        self.xenstored.introduce(GUEST, "guest")
        self.xen = FakeXen()
        self.policy = Policy()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self._start(address))

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def call(self, step):
        async def work():
            return step()

        return self.run(work())

    async def _start(self, address):
        self.listener = XenListener(self.xen.domain(0), self.policy, self.xenstored.address(0))
        async with Xenstore.connect(self.xenstored.address(0)) as toolstack:
            await self._attach(toolstack)
        self.store = Xenstore.connect(self.xenstored.address(GUEST))
        self.daemon = FrontendDaemon(FrontendSettings(socket=address), self.store, self.xen.domain(GUEST))
        self.serving = asyncio.create_task(self.daemon.run())
        async with asyncio.timeout(PATIENCE):
            while self.daemon._backend is None:  # noqa: ASYNC110 - as a program would
                await asyncio.sleep(0.005)

    @staticmethod
    async def _attach(toolstack):
        frontend, backend = frontend_path(GUEST), backend_path(0, GUEST)
        said = Attachment(frontend, GUEST, ("vpu0",)).values()
        async with toolstack.transaction() as nodes:
            await nodes.write_all(frontend, {"state": "1", "backend": backend, "backend-id": "0"})
            for path in (frontend, *(f"{frontend}/{name}" for name in ("state", "backend", "backend-id"))):
                await nodes.permit(path, GUEST, read=(0,))
            await nodes.write_all(backend, said | {"state": "1"})
            for path in (backend, *(f"{backend}/{name}" for name in (*said, "state"))):
                await nodes.permit(path, 0, read=(GUEST,))

    def fileno(self):
        return self.listener.fileno()

    def accept(self, host):
        self.policy.host = host
        port = self.call(lambda: self.listener.accept(host))
        return port and ThreadedPort(self, port)

    def close(self):
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.xenstored.__exit__()
        self.folder.cleanup()

    async def _end(self):
        self.daemon.stop()
        await self.serving
        self.store.close()
        self.listener.close()
        await self.listener.wait_closed()


class GuestTransport(LocalTransport):
    """Addresses are the daemon's."""

    name = "xen"

    def listen(self, address, mode=0o666):
        return MachineListener(address)
