# SPDX-License-Identifier: Apache-2.0
"""The warm parent: has everything loaded, serves nobody, and becomes a worker by fork in a millisecond.

Trusted as the supervisor is, and started by it. It has one thread, so that fork is safe; all descriptors
below ``PASSED_MIN`` are taken before the first fork, so that whatever a worker is passed later has a
higher number and the worker's filter can tell it from the rest. Its memory is frozen for the garbage
collector, so that workers go on sharing its pages.

What it is told and tells stands in ``_orders``.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from paracore._errors import ConfigError
from paracore.backend import _devices, _opener, _syscalls
from paracore.backend._books import Books, WorkerLimits
from paracore.backend._orders import ORDER_MAX, order_octets, order_parse
from paracore.backend._sandbox import Bounds, confinement
from paracore.backend._seccomp import PASSED_MIN
from paracore.backend._throttle import Throttle
from paracore.backend._worker import Worker
from paracore.transport import SocketWire
from paracore.transport.local import LocalTransport, _loop  # noqa: F401 - workers could not load it any more

if TYPE_CHECKING:
    from paracore.backend._books import Device
    from paracore.backend._sandbox import Confinement
    from paracore.transport import Packet

__all__ = ["Zygote", "main"]

_CONTROL: Final = 3
"""Where a worker has the supervisor's socket."""


class Zygote:
    """See the module."""

    def __init__(self, wire: SocketWire, start: dict[str, Any]) -> None:
        self._wire = wire
        self._transport = LocalTransport()
        self._devices: list[Device] = [_devices.load(**device) for device in start["devices"]]
        requests = sorted({request for device in self._devices for request in device.driver.requests})
        self._confinement: Confinement = confinement(tuple(start["user"]) if start["user"] else None, requests)
        self._spin_ns: int = start["spin_ns"]
        self._children: dict[int, tuple[int, int]] = {}
        self._poll = select.poll()
        self._poll.register(wire.fileno(), select.POLLIN)

    def ready(self) -> dict[str, Any]:
        """What the supervisor is told of devices and sandbox."""
        return {
            "ready": [_devices.describe(device) for device in self._devices],
            "missing": self._confinement.missing,
            "landlock": self._confinement.landlock,
            "seccomp": bool(self._confinement.filter),
        }

    def run(self) -> None:
        """Forks when it is told to, until the supervisor has gone."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._children:
                    self._reap(descriptor)
                elif not self._receive():
                    return

    def _receive(self) -> bool:
        packet = self._wire.receive()
        if packet is None:
            return True
        if packet.message:
            self._spawn(order_parse(packet.message), packet)
        return bool(packet.message)

    def _spawn(self, order: dict[str, Any], packet: Packet) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # the machine has no room for it now; those that are there go on
            logging.getLogger("paracore.worker").exception("no worker for %s", order["domain"])
            pid = -1
        if pid == 0:
            self._become_worker(order, packet.descriptors, parent)
        for descriptor in packet.descriptors:
            os.close(descriptor)
        if pid < 0:
            _send(self._wire, {"ended": order["spawn"], "status": 1, "used": 0})
            return
        child = os.pidfd_open(pid)
        self._children[child] = (order["spawn"], pid)
        self._poll.register(child, select.POLLIN)
        _send(self._wire, {"spawned": order["spawn"], "pid": pid}, (child,))

    def _reap(self, child: int) -> None:
        number, pid = self._children.pop(child)
        self._poll.unregister(child)
        os.close(child)
        _, status, usage = os.wait4(pid, 0)
        used = round((usage.ru_utime + usage.ru_stime) * 1e9)
        _send(self._wire, {"ended": number, "status": os.waitstatus_to_exitcode(status), "used": used})

    def _become_worker(self, order: dict[str, Any], descriptors: tuple[int, ...], parent: int) -> None:
        """The child's whole life."""
        code = 1
        try:
            control, errors = descriptors
            os.setpgid(0, 0)  # by which all its threads are reniced
            self._shed(control, errors)
            self._work(order, parent)
            code = 0
        except BaseException:
            logging.getLogger("paracore.worker").exception("the worker of %s ends", order["domain"])
        finally:
            os._exit(code)

    def _shed(self, control: int, errors: int) -> None:
        """Leaves the child its socket and standard error, and nothing of the parent's."""
        self._wire.close()
        for child in self._children:
            os.close(child)
        for source, target in ((control, _CONTROL), (errors, 2)):
            os.dup2(source, target, inheritable=False)
            os.close(source)
        _occupy()

    def _work(self, order: dict[str, Any], parent: int) -> None:
        _syscalls.process_name("paracore-worker")
        control = SocketWire(socket.socket(fileno=_CONTROL), descriptors_max=3)
        loop = self._transport.loop(self._spin_ns)
        devices = tuple(self._devices[index] for index in order["devices"])
        books = Books(devices, WorkerLimits(**order["limits"]), Throttle(**order["rates"]))
        self._provide_opener(devices)
        self._confinement.enter(Bounds(**order["bounds"]), parent)
        Worker(control, loop, self._transport.pages, books).run()

    def _provide_opener(self, devices: tuple[Device, ...]) -> None:
        """Device files are opened by another process from here on."""
        nodes = sorted({node for device in devices for node in device.driver.nodes})
        if nodes:
            opener = _opener.start(nodes, self._confinement.opener_filter)
            for device in devices:
                device.driver.open_node = opener.open


def _check_alone() -> None:
    """A fork takes one thread along; what others were doing at that moment would stay undone for ever."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise ConfigError(
            "device", f"their drivers have started {threads - 1} threads, and may do so only in a session"
        )


def _forget_standard_streams() -> None:
    """Standard input and output become nothing."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _occupy() -> None:
    """Takes all low descriptors that are free, for good."""
    while (taken := os.dup(0)) < PASSED_MIN:
        pass
    os.close(taken)


def _send(wire: SocketWire, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    wire.send_waiting(order_octets(message), descriptors)


def _prepare() -> None:
    _syscalls.process_name("paracore-warm")
    _syscalls.parent_death_signal(signal.SIGKILL)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the supervisor's end is theirs


def main(descriptor: int, parent: int) -> None:
    """Entry point of the process; `descriptor` is the socket to the supervisor, whose process is `parent`."""
    _prepare()
    if os.getppid() != parent:
        return
    sock = socket.socket(fileno=descriptor)
    sock.settimeout(None)
    start = order_parse(sock.recv(ORDER_MAX))
    logging.basicConfig(
        stream=sys.stderr, level=start["log_level"].upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    wire = SocketWire(sock, descriptors_max=2, size_max=ORDER_MAX)
    try:
        zygote = Zygote(wire, start)
        _check_alone()
    except ConfigError as error:
        _send(wire, {"failed": [error.option, error.hint]})
        return
    _forget_standard_streams()
    _occupy()
    gc.collect()
    gc.freeze()
    _send(wire, zygote.ready())
    zygote.run()
