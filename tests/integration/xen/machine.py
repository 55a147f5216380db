# SPDX-License-Identifier: Apache-2.0
"""A machine without Xen, in this process: xenstore, a toolstack, a whole backend, guests with their daemons.

Real are the supervisor, the warm parent, the workers and what programs link. The asyncio side lives in threads
of its own, so that programs may block as real ones do: toolstack and guests in one, each program image of the
backend's supervisor in another.
"""

import asyncio
import ctypes
import json
import os
import select
import shutil
import socket
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from paracore.backend._config import BackendSection, Config, DeviceSection
from paracore.backend._handover import State, merged
from paracore.backend._status import Status
from paracore.backend._supervisor import Supervisor
from paracore.backend._warm import launch
from paracore.backend._worker_end import WorkerEnd
from paracore.backend._worker_log import WorkerLog
from paracore.classes import bridge, link
from paracore.frontend._daemon._daemon import FrontendDaemon
from paracore.frontend._daemon._holdings import format_pages
from paracore.frontend._daemon._offer import Offer
from paracore.frontend._daemon._settings import FrontendSettings
from paracore.protocol import (
    PROTOCOL_VERSION,
    REPLY,
    REQUEST,
    Attachment,
    XenbusState,
    backend_path,
    frontend_path,
    mapping_size,
    message,
    split,
    xenbus_state,
)
from paracore.testing import FakeXen, FakeXenstored
from paracore.transport import Refused
from paracore.transport.local import LocalPages, LocalTransport
from paracore.transport.xen import XenListener, Xenstore, write_directory
from tests.integration.backends import PATIENCE, WRITABLE, wait_until

CONNECTED = (XenbusState.CONNECTED, XenbusState.CONNECTED)


class Thread:
    """An event loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, work, timeout=2 * PATIENCE):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def call(self, step):
        """Calls something in the thread."""

        async def work():
            return step()

        return self.run(work())

    def halt(self):
        """Whatever was under way is never finished."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def close(self):
        self.halt()
        self.loop.close()


FORMER = []
"""Program images that were followed by others. As after an exec nothing of them runs any more, not even to tidy up: they
stay, also when Python ends."""
ctypes.pythonapi.Py_IncRef(ctypes.py_object(FORMER))


def processes_of(state):
    """The guests' processes that are handed over, each by its guest and its number."""
    connections = [*state.strangers, *(each for domain in state.domains for each in domain.connections)]
    ports = [each.port for each in connections] + [port for guest in state.guests for port in guest.arrivals]
    return {(port.process.identity, port.process.number) for port in ports if port.process}


class Machine:
    """Everything. Its methods are called from the test's thread."""

    def __init__(self, *, linger=30.0, driver="null", options=None, place=0, patience=2.0, slots=0):
        """`options` are the driver's, `slots` the device's; `place` is the backend's domain; `patience` the guests' with it:
        short, for those tests that wait for its end."""
        self.patience = patience
        self.place = place
        self.folder = Path(tempfile.mkdtemp(prefix="paracore-xen-"))
        self.folder.chmod(0o755)
        self.xen = FakeXen()
        self.xenstored = FakeXenstored(self.folder).__enter__()
        self.config = Config(
            backend=BackendSection(socket=str(self.folder / "paracore.sock"), worker_linger=linger),
            device=(DeviceSection(name="vpu0", driver=driver, options=options or {}, slots=slots),),
        )
        self.guests = {}
        self.living = set()
        self.launched = []
        self.supervisor = self.listener = self.serving = None
        self._world, self.backend = Thread(), Thread()
        self.run, self.call = self._world.run, self._world.call
        self.store = self.run(self._connect())
        if place:
            self.introduce(place)
        self.start()

    async def _connect(self):
        return Xenstore.connect(self.xenstored.address(0))

    # --- the backend ------------------------------------------------------------------------------

    def start(self):
        self.hypervisor = self.xen.domain(self.place)
        self.launched.append(launch(self.config))
        self.backend.run(self._start())

    async def _start(self, state=None):
        self.supervisor = Supervisor(merged(state, self.config) if state else self.config, self.launched[-1])
        self.listener = XenListener(self.hypervisor, self.supervisor, self.xenstored.address(self.place))
        if state:
            processes = LocalTransport().adopt(state.listener)
            self.supervisor.adopt(state, processes, self.listener)
        else:
            processes = LocalTransport().listen(self.config.backend.socket)
        self.supervisor.listen(processes, self.listener)
        self.serving = asyncio.create_task(self.supervisor.run())

    def stop(self):
        """Ends it as systemd would."""
        self.backend.call(self.supervisor.stop)
        self.backend.run(self._ended())

    async def _ended(self):
        await self.serving

    def reload(self, between=lambda: None):
        """Its next program image, in the same process; `between` is called when there is neither."""
        octets = self.backend.run(self._leave())
        self._end(msgspec.json.decode(octets, type=State))
        between()
        self.hypervisor = self.xen.domain(self.place)
        self.launched.append(launch(self.config))
        self.backend.run(self._start(msgspec.json.decode(octets, type=State)))

    def _end(self, state=None):
        """Nothing of this program image runs any more; the next one has a thread of its own, and what `state` says."""
        self.backend.halt()
        FORMER.append((self.backend, self.supervisor, self.listener, self.hypervisor))
        self._take_back(state)
        self.backend.loop.close()
        self.backend = Thread()

    def _take_back(self, state):
        """As the kernel does: what is mapped, and descriptors that nobody inherits. None: there is nobody."""
        kept = {guest.place[1:] for guest in state.guests} if state else ()
        inherited = processes_of(state) if state else ()
        os.close(self.listener._bell)
        self.listener._store.close()
        for key, exchange, ports in self._taken:
            for port in ports:
                if not port._closed:
                    os.close(port._bell)
                if (exchange.identity, port.number) not in inherited:
                    port._grants.close()
                    port._channel.close()
            made = exchange._made.pop_all()
            if key in kept:
                made._exit_callbacks.pop()  # its event channel, made last
            made.close()

    async def _leave(self):
        """After this the last image hears nothing more, and does nothing."""
        await self.supervisor.pause()
        self._take()
        self.supervisor.workers.leave()
        state = self.supervisor.hand_over(self.config)
        workers = filter(None, (end.hand_over() for end in self.supervisor.workers.ends.values()))
        self._silence({descriptor for each in workers for descriptor in (each.socket, each.errors, each.pidfd)})
        return msgspec.json.encode(state)

    def _take(self):
        """What there is with guests now, though the program closes some of it while it ends."""
        guests = [(key, guest._exchange) for key, (guest, _) in self.listener._guests.items() if guest._exchange]
        self._taken = [(key, exchange, list(exchange._ports.values())) for key, exchange in guests]

    def _silence(self, inherited=frozenset()):
        """Nobody hears anything more; what is left of workers that are ending is closed, as the kernel would."""
        ours = self.backend.loop._ssock.fileno()  # how this thread is called
        for descriptor, key in list(self.backend.loop._selector.get_map().items()):
            if descriptor == ours:
                continue
            reader, _ = key.data
            self.backend.loop.remove_reader(descriptor)
            heard = reader and getattr(reader._callback, "__self__", None)
            if isinstance(heard, WorkerEnd | WorkerLog) and descriptor not in inherited:
                os.close(descriptor)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task._log_destroy_pending = False
            FORMER.append(task.get_coro())
        wakes, _ = self.backend.loop._selector.get_key(ours).data
        for handle in {*self.backend.loop._scheduled, *self.backend.loop._ready} - {wakes}:
            handle.cancel()  # nor is anything due any more

    def kill(self):
        """As one that is killed: nothing is said, what it had goes, its nodes stay."""
        self.backend.run(self._kill())
        self._end()

    async def _kill(self):
        self.supervisor._stopping.is_set = lambda: True  # nothing more begins
        self._take()
        self.serving.cancel()
        self.supervisor.workers.close()
        self.backend.loop.remove_reader(self.listener.fileno())
        self.supervisor._processes.close()
        for _, task in self.listener._guests.values():
            task.cancel()
        self.listener._task.cancel()
        for end in list(self.supervisor.workers.ends.values()):
            end.orphaned()
        await asyncio.sleep(0.05)
        self._silence()

    def status(self):
        said = []
        self.backend.call(lambda: Status(self.supervisor, said.append).gather())
        wait_until(lambda: said, "no status")
        return json.loads(said[0])

    def statistics(self):
        return self.backend.call(self.supervisor.statistics)

    def workers(self):
        """Their processes: a worker may be at work before its number is known."""
        wait_until(
            lambda: all(end.pid for end in list(self.supervisor.workers.ends.values())), "a worker has no number"
        )
        return [end.pid for end in list(self.supervisor.workers.ends.values())]

    def worker(self, name):
        """A domain's."""
        self.workers()
        return next(domain.worker.pid for domain in self.supervisor.domains if domain.name == name)

    def held(self):
        """Pages and ports that the backend has mapped and bound by now."""
        counts = self.hypervisor.statistics()
        return counts.mapped - counts.unmapped, counts.bound - counts.unbound

    # --- the toolstack ----------------------------------------------------------------------------

    def attach(self, domain, **said):
        self.run(self._attach(domain, said))

    async def _attach(self, domain, said):
        frontend, backend = frontend_path(domain), backend_path(self.place, domain)
        attachment = Attachment(frontend, domain, **({"devices": ("vpu0",), "name": f"guest{domain}"} | said))
        async with self.store.transaction() as nodes:
            await nodes.write_all(frontend, {"state": "1", "backend": backend, "backend-id": str(self.place)})
            for path in (frontend, *(f"{frontend}/{name}" for name in ("state", "backend", "backend-id"))):
                await nodes.permit(path, domain, read=(self.place,))
            await nodes.write_all(backend, attachment.values() | {"state": "1"})
            above = (backend.rsplit("/", count)[0] for count in (1, 2, 3))
            for path in (*above, backend, *(f"{backend}/{name}" for name in (*attachment.values(), "state"))):
                await nodes.permit(path, self.place, read=(domain,))

    def detach(self, domain):
        """Gracefully: says so, waits, and clears up."""
        self.write(f"{backend_path(self.place, domain)}/online", "0")
        self.wait_state(domain, backend=XenbusState.CLOSED)
        self.take_away(domain)

    def take_away(self, domain):
        """By force."""
        self.run(self._take_away(domain))

    async def _take_away(self, domain):
        async with self.store.transaction() as nodes:
            await nodes.remove(frontend_path(domain))
            await nodes.remove(backend_path(self.place, domain))

    def write(self, path, value):
        self.run(self.store.write(path, value))

    def read(self, path):
        return self.run(self.store.read(path))

    def states(self, domain):
        paths = (frontend_path(domain), backend_path(self.place, domain))
        return tuple(xenbus_state(self.read(f"{path}/state")) for path in paths)

    def wait_states(self, domain, *states, timeout=PATIENCE):
        wait_until(lambda: self.states(domain) == states, f"domain {domain} is not {states}", timeout)

    def wait_state(self, domain, *, backend, timeout=PATIENCE):
        wait_until(lambda: self.states(domain)[1] is backend, f"domain {domain}'s backend is not {backend}", timeout)

    # --- guests -----------------------------------------------------------------------------------

    def guest(self, domain, **said):
        """A guest whose daemon runs, attached and connected."""
        self.introduce(domain)
        self.attach(domain, **said)
        self.guests[domain] = Guest(self, domain)
        self.wait_states(domain, *CONNECTED)
        return self.guests[domain]

    def introduce(self, domain):
        self.living.add(domain)
        self.xenstored.introduce(domain, f"guest{domain}")

    def destroy(self, domain):
        """As ``xl destroy``: the domain is gone at once, its nodes are removed later."""
        guest = self.guests.pop(domain, None)
        if guest:
            guest.kill()
        self.living.discard(domain)
        self.xen.destroy(domain)
        self.xenstored.release(domain)
        self.run(self.store.remove(f"/local/domain/{domain}"))

    def close(self):
        """Guests go first: the backend waits a while for those that are there and do not answer."""
        for domain in list(self.living):
            with suppress(BaseException):
                self.destroy(domain)
        with suppress(BaseException):
            self.stop()
        for launched in self.launched:
            launched.process.kill()
            launched.process.wait()
        self.call(self.store.close)
        self.backend.close()
        self._world.close()
        self.xenstored.__exit__()
        shutil.rmtree(self.folder)


class Scripted:
    """A guest whose daemon does what the test says."""

    def __init__(self, machine, domain=3, **said):
        self.machine = machine
        self.domain = domain
        self.hypervisor = machine.xen.domain(domain)
        self.serial = 0
        machine.introduce(domain)
        machine.attach(domain, **said)
        machine.wait_state(domain, backend=XenbusState.INIT_WAIT)
        self.renew()

    def renew(self):
        """Pages and a port, new ones."""
        self.offer = Offer(self.hypervisor, 0)
        self.waiting = []

    def publish(self, **nodes):
        """Says where its pages are."""
        values = self.offer.nodes.values() | nodes
        for name, value in values.items():
            self.write(name, value)
        self.state(XenbusState.INITIALISED)

    def connect(self):
        self.publish()
        self.machine.wait_state(self.domain, backend=XenbusState.CONNECTED)
        self.state(XenbusState.CONNECTED)
        return self

    def write(self, name, value):
        self.machine.write(f"{frontend_path(self.domain)}/{name}", value)

    def state(self, state):
        self.write("state", str(int(state)))

    def send(self, connection, request, flags=REQUEST):
        self.serial += 1
        self.offer.ring.send(message(request.OPCODE, flags, connection, self.serial, request.pack()))

    def receive(self, timeout=PATIENCE):
        """What the backend says next, header and payload."""
        poll = select.poll()
        poll.register(self.offer.ring.fileno(), select.POLLIN)
        until = time.monotonic() + timeout
        while not self.waiting:
            assert poll.poll(max(0.0, until - time.monotonic()) * 1000), "the backend says nothing"
            self.waiting += self.offer.ring.receive()
        return split(self.waiting.pop(0))

    def call(self, connection, request):
        """The header and payload of the answer, or of the goodbye in its place."""
        self.send(connection, request)
        header, payload = self.receive()
        assert header.object == connection
        return header, payload

    def greet(self, connection):
        return self.call(connection, bridge.Connect(PROTOCOL_VERSION, PROTOCOL_VERSION, 77, 1000))

    def open(self, connection, order=2):
        """A channel: its pages and events, which the caller closes."""
        pages = self.hypervisor.allocate(0, mapping_size(order))
        format_pages(pages, order)
        directory = write_directory(self.hypervisor, 0, pages.references)
        events = self.hypervisor.unbound(0)
        header, payload = self.call(connection, bridge.ChannelOpen(order, directory.reference, events.remote_port))
        directory.close()
        assert header.flags == REPLY, bridge.Failure.unpack(payload)
        return pages, events

    def grant(self, connection, number, pages, length=None, flags=WRITABLE):
        directory = write_directory(self.hypervisor, 0, pages.references)
        said = self.call(connection, bridge.Grant(number, flags, length or pages.length, directory.reference))
        directory.close()
        return said

    @staticmethod
    def fill(pages, octets):
        """Writes into the guest's own pages."""
        mapping = LocalPages().map(pages.descriptor, pages.length, read_only=False)
        with mapping.view() as view:
            view[: len(octets)] = octets
        mapping.close()

    def close(self):
        self.offer.close()


class Guest:
    """A guest's daemon, and the programs that use it."""

    def __init__(self, machine, domain):
        self.machine = machine
        self.domain = domain
        self.address = str(machine.folder / f"guest-{domain}.sock")
        self.start()

    def start(self):
        self.machine.run(self._start())

    async def _start(self):
        settings = FrontendSettings(socket=self.address, backend_timeout=self.machine.patience)
        self.hypervisor = self.machine.xen.domain(self.domain)
        self.store = Xenstore.connect(self.machine.xenstored.address(self.domain))
        self.daemon = FrontendDaemon(settings, self.store, self.hypervisor)
        self.serving = asyncio.create_task(self.daemon.run())

    def stop(self):
        self.machine.call(self.daemon.stop)
        self.machine.run(self._ended())

    async def _ended(self):
        await self.serving
        self.store.close()

    def kill(self):
        """As one that is killed: nothing is said, what it had goes."""
        self.machine.run(self._kill())

    async def _kill(self):
        for process in self.daemon._processes:
            process._wire._socket.shutdown(socket.SHUT_RDWR)
        tasks = [self.daemon_task(task) for task in asyncio.all_tasks() if self.daemon_task(task)]
        for task in tasks:
            task.cancel()
        processes = list(self.daemon._processes)
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in processes:
            process._wire.close()
            if process._holdings:
                process._holdings.close()  # it may have waited for the backend's word
        if self.daemon._socket.fileno() >= 0:  # else it had ended by itself
            asyncio.get_running_loop().remove_reader(self.daemon._socket.fileno())
            self.daemon._socket.close()
        self.store.close()
        self.machine.xen.destroy(self.domain)

    def daemon_task(self, task):
        """The task, if it is this daemon's."""
        frame = task.get_coro().cr_frame
        if frame is None:
            return None
        owner = frame.f_locals.get("self")
        ours = (self.daemon, self.daemon._device, *self.daemon._processes)
        return task if owner in ours else None

    def connect(self):
        """A program's channel, as soon as there is a backend."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return LocalTransport().connect(self.address)
            except Refused as refusal:
                not_yet = refusal.reason in {link.Refusal.NO_BACKEND, link.Refusal.SHUTDOWN}
                if not not_yet or time.monotonic() > until:
                    raise
                time.sleep(0.01)
