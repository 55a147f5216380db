# SPDX-License-Identifier: Apache-2.0
"""A machine without Xen: xenstore, a toolstack, a backend that moves by the table, a guest with its daemon."""

import asyncio
import socket

from paracore.classes import link
from paracore.frontend._daemon._daemon import FrontendDaemon
from paracore.frontend._daemon._settings import FrontendSettings
from paracore.protocol import (
    PROTOCOL_VERSION,
    Attachment,
    BackendNodes,
    End,
    FrontendNodes,
    XenbusAction,
    XenbusState,
    backend_path,
    frontend_path,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
)
from paracore.testing import FakeXen, FakeXenstored
from paracore.transport.xen import Xenstore
from tests.unit.frontend.daemon.guest import DRIVER_DOMAIN, GUEST, HELLO, PATIENCE, Program, ScriptedBackend

FRONTEND, BACKEND = frontend_path(GUEST), backend_path(DRIVER_DOMAIN, GUEST)


class XenbusBackend:
    """One process of a backend: the table, and a ``ScriptedBackend`` while it is connected."""

    def __init__(self, machine, versions=(PROTOCOL_VERSION,)):
        self.machine = machine
        self.versions = versions
        self.scripted = None
        self.leaving = False
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        store = self.machine.store
        watch = await store.watch(FRONTEND)
        begun = False
        async for _ in watch:
            while True:
                own, other = [xenbus_state(await store.read(f"{path}/state")) for path in (BACKEND, FRONTEND)]
                move = xenbus_step(End.BACKEND, own, other)
                if not begun:
                    begun = True
                    first = xenbus_start(End.BACKEND, own)
                    move = move if first.action is XenbusAction.WAIT else first
                if self.leaving:
                    self.leaving = False
                    move = xenbus_stop(End.BACKEND, own)
                if move.action is XenbusAction.WAIT:
                    break
                await self._act(move.action)
                if move.action is XenbusAction.FORGET:
                    break
                await store.write(f"{BACKEND}/state", str(int(move.state)))

    async def _act(self, action):
        store = self.machine.store
        if action is XenbusAction.PUBLISH:
            await store.write_all(BACKEND, BackendNodes(self.versions).values())
        elif action is XenbusAction.CONNECT:
            nodes = FrontendNodes.parse(await store.read_all(FRONTEND, FrontendNodes.names()))
            self.scripted = ScriptedBackend(self.machine.xen, nodes)
        elif action is not XenbusAction.LEAVE:
            self.let_go()

    def let_go(self):
        if self.scripted:
            self.scripted.close()
            self.scripted = None

    async def leave(self):
        """As one that is told to stop: it says goodbye first."""
        if self.scripted:
            self.scripted.goodbye(1, link.Refusal.SHUTDOWN)
        self.leaving = True
        await self.machine.store.write(f"{FRONTEND}/nudge", "")

    def kill(self):
        """As one that is killed: its mappings and ports go, its nodes stay."""
        self.task.cancel()
        self.let_go()


class Machine:
    """Everything, on a folder of its own."""

    def __init__(self, folder):
        self.xenstored = FakeXenstored(folder)
        self.xenstored.__enter__()
        self.xenstored.introduce(GUEST, "guest")
        self.xen = FakeXen()
        self.store = Xenstore.connect(self.xenstored.address(0))
        self.backends = []
        self.settings = FrontendSettings(socket=str(folder / "paracore.sock"), backend_timeout=0.4)
        self.daemon = self.serving = None
        self.programs = []

    async def attach(self, **limits):
        """What the toolstack does."""
        said = Attachment(FRONTEND, GUEST, ("vpu0",), **limits)
        async with self.store.transaction() as nodes:
            await nodes.write(f"{FRONTEND}/state", "1")
            await nodes.write(f"{FRONTEND}/backend", BACKEND)
            await nodes.write(f"{FRONTEND}/backend-id", str(DRIVER_DOMAIN))
            await nodes.permit(FRONTEND, GUEST, read=(DRIVER_DOMAIN,))
            for name in ("state", "backend", "backend-id"):
                await nodes.permit(f"{FRONTEND}/{name}", GUEST, read=(DRIVER_DOMAIN,))
            await nodes.write_all(BACKEND, said.values() | {"state": "1"})
            await nodes.permit(BACKEND, DRIVER_DOMAIN, read=(GUEST,))
            for name in (*said.values(), "state"):
                await nodes.permit(f"{BACKEND}/{name}", DRIVER_DOMAIN, read=(GUEST,))

    async def take_away(self):
        """A forced detach."""
        async with self.store.transaction() as nodes:
            await nodes.remove(FRONTEND)
            await nodes.remove(BACKEND)

    def backend(self, **options):
        self.backends.append(XenbusBackend(self, **options))
        return self.backends[-1]

    def start(self):
        """The guest's daemon."""
        self.hypervisor = self.xen.domain(GUEST)
        self.guest_store = Xenstore.connect(self.xenstored.address(GUEST))
        self.daemon = FrontendDaemon(self.settings, self.guest_store, self.hypervisor)
        self.serving = asyncio.create_task(self.daemon.run())

    async def stop(self):
        self.daemon.stop()
        await asyncio.wait_for(self.serving, PATIENCE)
        self.serving = None
        self.guest_store.close()

    async def kill(self):
        """As one that is killed: nothing is said, what it had goes."""
        for process in self.daemon._processes:
            process._wire._socket.shutdown(socket.SHUT_RDWR)
        names = ("FrontendDaemon.run", "FrontendDaemon._serve", "Device.run", "Event.wait")
        tasks = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self.daemon._socket.fileno())
        self.daemon._socket.close()
        self.guest_store.close()
        self.xen.destroy(GUEST)
        self.serving = None

    def program(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(self.settings.socket)
        self.programs.append(Program(sock))
        return self.programs[-1]

    async def served(self):
        """A program with a channel, once there is a backend."""
        async with asyncio.timeout(PATIENCE):
            while True:
                program = self.program()
                program.ask(HELLO)
                packet = await program.receive()
                if len(packet.message) > 24:
                    return program, await program.call(link.ChannelOpen(2))
                program.close()
                await asyncio.sleep(0.01)

    async def states(self):
        return tuple([xenbus_state(await self.store.read(f"{path}/state")) for path in (FRONTEND, BACKEND)])

    async def until_states(self, *states):
        async with asyncio.timeout(PATIENCE):
            while await self.states() != states:  # noqa: ASYNC110 - of two nodes
                await asyncio.sleep(0.005)

    async def close(self):
        for program in self.programs:
            program.close()
        if self.serving:
            await self.stop()
        for backend in self.backends:
            backend.kill()
        self.store.close()
        self.xenstored.__exit__()


CONNECTED = (XenbusState.CONNECTED, XenbusState.CONNECTED)
