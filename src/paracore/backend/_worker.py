# SPDX-License-Identifier: Apache-2.0
"""A worker: the process that serves one domain. It parses what the domain sends and runs the drivers.

As untrusted as its domain. It has no right to open, connect or map anything but what comes through
``control``, the socket to the supervisor, and it was confined before the first octet of the domain came
near it (``_sandbox``). One thread, one loop; a fault of this program while it serves a channel ends that
channel, the end of ``control`` ends the process.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from paracore._errors import GrantError, RemoteProtocolError, TransportBroken, TransportError
from paracore.backend._channel import Channel
from paracore.backend._farewell import Farewell
from paracore.backend._gate import UnitGate
from paracore.backend._job_watch import JobWatch
from paracore.backend._report import report_octets, report_of
from paracore.backend._tally import Tally
from paracore.backend._tracer import Tracer
from paracore.classes import core, video, worker
from paracore.drivers import Gate
from paracore.protocol import EVENT, FAILURE, REPLY, REQUEST, message, split
from paracore.transport import ChannelDescriptors, EntryKind, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paracore.backend._books import Books
    from paracore.backend._session import Session
    from paracore.backend._throttle import Debt
    from paracore.protocol import Header
    from paracore.transport import Loop, Mapping, Packet, Pages, SocketWire

__all__ = ["REPORT_MAX", "Worker"]

_log = logging.getLogger("paracore.worker")

_CONTROL: Final = 0
"""Token of the supervisor's socket; sessions have all others."""
_TEXT_MAX = 200
_U64_MAX: Final = (1 << 64) - 1
_THOUSAND_SECONDS: Final = 1000 * 1_000_000_000
REPORT_MAX = 65536
"""Octets of a report: what a pipe takes without anybody reading it."""


class Worker:
    """See the module. An ``Outlet`` of its channels."""

    def __init__(self, control: SocketWire, loop: Loop, pages: Pages, books: Books) -> None:
        self._control = control
        self._loop = loop
        self._pages = pages
        self._books = books
        self._channels: dict[int, Channel] = {}
        self._sessions: dict[int, tuple[Channel, Session]] = {}
        self._maps: dict[int, tuple[int, core.BufferAttach, Callable[[Mapping | video.Failure], None]]] = {}
        self._reservations: dict[int, tuple[int, Callable[[video.Failure | None], None]]] = {}
        self._last_token = _CONTROL
        self._last_serial = 0
        self._running = True
        self._farewell: Farewell | None = None
        loop.watch(control.fileno(), _CONTROL)
        self._jobs = JobWatch()
        self._tracer = Tracer(loop, pages, (device.driver for device in books.devices))
        books.mark = loop.mark
        self._tally = Tally(books)
        self._rates: dict[int, int] = {}
        self._at: int | None = None
        self._gates = [device.driver.share() or UnitGate() for device in books.devices]
        self._unit_gates = {index: gate for index, gate in enumerate(self._gates) if isinstance(gate, UnitGate)}
        self._gate_tokens = {
            self._watch_gate(gate): index for index, gate in enumerate(self._gates) if isinstance(gate, Gate)
        }

    def run(self) -> None:
        """Serves until the supervisor has gone."""
        with suppress(TransportBroken):
            while self._running:
                self.turn()

    def turn(self, timeout_ms: int = -1) -> None:
        """Waits once and serves what there is; a session that hangs ends the wait, as does one whose turn has come."""
        entries = self._loop.wait(self._sooner(timeout_ms))
        if entries:
            self._jobs.stir()
        for kind, number, octets, reason in entries:
            if kind == EntryKind.MESSAGE:
                self._serve(number, octets)
            elif kind == EntryKind.VIOLATION:
                self._violation(number, reason)
            elif number == _CONTROL:
                self._receive()
            elif number in self._sessions:
                self._pump(*self._sessions[number])
            elif number in self._gate_tokens:
                self._tell_gate(self._gate_tokens[number])
        self._let_go()
        self._end_hung()
        if self._farewell:
            self._leave(self._farewell)

    def close(self) -> None:
        """Ends all channels."""
        for number in list(self._channels):
            self._drop(number)

    # --- what channels need -----------------------------------------------------------------------

    def send(self, channel: int, octets: bytes) -> None:
        self._loop.send(channel, octets)

    def map(self, channel: int, request: core.BufferAttach, answer: Callable[[Mapping | video.Failure], None]) -> None:
        self._last_serial += 1
        self._maps[self._last_serial] = (channel, request, answer)
        payload = worker.Map(channel, request.grant, request.length, request.flags).pack()
        self._tell(message(worker.Map.OPCODE, REQUEST, 0, self._last_serial, payload))

    def reserve(
        self, channel: int, session: Session, rate: int, answer: Callable[[video.Failure | None], None]
    ) -> None:
        self._last_serial += 1
        self._reservations[self._last_serial] = (channel, answer)
        payload = worker.Reserve(session.call.device, session.token, rate).pack()
        self._tell(message(worker.Reserve.OPCODE, REQUEST, 0, self._last_serial, payload))

    def paced(self, session: Session) -> None:
        device = session.call.device
        rate = max((other.rate for other in self._live() if other.call.device == device), default=0)
        if rate != self._rates.get(device, 0):
            self._rates[device] = rate
            self._tell_event(worker.DevicePace(device, _THOUSAND_SECONDS // rate if rate else 0))

    def at(self, device: int) -> None:
        if device != self._at:
            self._at = device
            self._tell_event(worker.DeviceAt(device))

    def gate(self, device: int) -> UnitGate | None:
        return self._unit_gates.get(device)

    def unmapped(self, channel: int, grant: int) -> None:
        self._tell_event(worker.Unmap(channel, grant))

    def watch(self, channel: Channel, session: Session) -> None:
        self._last_token += 1
        self._loop.watch(session.descriptor, self._last_token)
        self._sessions[self._last_token] = (channel, session)
        session.token = self._last_token
        self._tracer.opened(channel.number, session)
        self._tell_use(session.call.device, 1)

    def unwatch(self, session: Session) -> None:
        channel, _ = self._sessions.pop(session.token)
        self._tracer.closed(channel.number, session)
        self._loop.unwatch(session.descriptor)
        self._tell_use(session.call.device, 0)
        self.paced(session)

    # --- the domain -------------------------------------------------------------------------------

    def _serve(self, number: int, octets: bytes) -> None:
        if channel := self._channels.get(number):  # it may have ended earlier in this batch
            self._guard(number, partial(channel.serve, octets))

    def _pump(self, channel: Channel, session: Session) -> None:
        self._guard(channel.number, partial(channel.pump, session))

    def _guard(self, number: int, step: Callable[[], None]) -> None:
        """Whatever goes wrong while a channel is served ends that channel and no other."""
        try:
            step()
        except RemoteProtocolError as error:
            self._violation(number, str(error))
        except (TransportBroken, MemoryError):
            raise  # the supervisor has gone, or this process is beyond help
        except Exception as error:  # noqa: BLE001 - see above
            _log.exception("channel %d", number)
            self._violation(number, f"a fault of the worker: {type(error).__name__}")

    def _violation(self, number: int, reason: str) -> None:
        """The channel is over; the supervisor tells the domain and takes everything back."""
        if number in self._channels:
            self._drop(number)
            self._tell_event(worker.Violation(number, reason.encode()[:_TEXT_MAX]))

    def _drop(self, number: int) -> None:
        channel = self._channels.pop(number)
        self._loop.remove(number)
        channel.close()

    def _sooner(self, timeout_ms: int) -> int:
        """How long to wait: a unit may go, or a job be overdue, before that."""
        if self._farewell and self._farewell.hurries:
            return 0
        ends = [timeout_ms, self._books.throttle.timeout_ms(), self._jobs.timeout_ms(self._live(), time.monotonic_ns())]
        ends += [gate.timeout_ms() for gate in self._unit_gates.values()]
        return min((end for end in ends if end >= 0), default=-1)

    # --- units that wait for credit, or for the device ----------------------------------------------

    def _let_go(self) -> None:
        """Hands over those that may go now; of what a driver would not take nothing else tells."""
        if self._books.throttle.anybody_waits:
            self._jobs.stir()
        news = bool(self._books.throttle.turn())
        while (sum([gate.turn() for gate in self._unit_gates.values()]) or news) and self._pump_news():
            news = False
        self._tell_counted()
        self._tell_owed(self._books.throttle.news())
        for device, gate in self._unit_gates.items():
            self._tell_used(device, gate)
            self._tell_gate(device)

    def _pump_news(self) -> bool:
        """Whether there were any, of a session that is not over."""
        pumped = False
        for token, (channel, session) in list(self._sessions.items()):
            if session.driver.has_news and token in self._sessions:
                self._pump(channel, session)
                pumped = True
        return pumped

    # --- jobs that hang -----------------------------------------------------------------------------

    def _end_hung(self) -> None:
        for session in self._jobs.overdue(self._live(), time.monotonic_ns()):
            if session.token in self._sessions:  # its channel may have ended with the one before
                channel, _ = self._sessions[session.token]
                self._guard(channel.number, partial(channel.hang, session))
                self._loop.flush()  # if it is stuck, this process has not long to live
                self._tell_event(worker.DeviceHang(session.call.device, int(session.stuck)))

    def _live(self) -> Iterator[Session]:
        return (session for _, session in self._sessions.values())

    # --- a domain that is about to be detached ------------------------------------------------------

    def _leave(self, farewell: Farewell) -> None:
        if farewell.begins():
            for number, channel in list(self._channels.items()):
                self._guard(number, channel.leave)
        if farewell.ends(self._live()):
            self._loop.flush()  # before the supervisor says goodbye
            self._tell_event(worker.Drained())

    # --- the devices' time ------------------------------------------------------------------------

    def _watch_gate(self, gate: Gate) -> int:
        self._last_token += 1
        self._loop.watch(gate.fileno(), self._last_token)
        return self._last_token

    def _tell_use(self, device: int, used: int) -> None:
        """Tells of the first session of a device, which has been opened, or of the last one, which has ended."""
        if sum(session.call.device == device for session in self._live()) == used:
            self._tell_event(worker.DeviceUse(device, used))

    def _tell_gate(self, device: int) -> None:
        words = self._gates[device].words()
        if words.release:
            self._tell_event(worker.DeviceRelease(device, words.lease, int(words.want)))
        elif words.want:
            self._tell_event(worker.DeviceWant(device))

    def _tell_counted(self, *, at_once: bool = False) -> None:
        if counted := self._tally.news(self._live(), at_once=at_once):
            self._tell_event(counted)

    def _tell_owed(self, debt: Debt | None) -> None:
        if debt:
            self._tell_event(worker.RatesOwed(*(min(_U64_MAX, round(owed * 1000)) for owed in debt[:2])))

    def _tell_used(self, device: int, gate: UnitGate) -> None:
        if used := gate.used():
            self._tell_event(worker.DeviceUsed(device, used))

    # --- the supervisor ---------------------------------------------------------------------------

    def _receive(self) -> None:
        while (packet := self._control.receive()) is not None:
            if not packet.message:
                self._running = False
                return
            header, payload = split(packet.message)
            self.CONTROLS[header.opcode](self, header, payload, packet)

    def _channel_add(self, _: Header, payload: memoryview, packet: Packet) -> None:
        added = worker.ChannelAdd.unpack(payload)
        descriptors = ChannelDescriptors(*packet.descriptors)._replace(port=added.port)
        try:
            self._loop.add(added.channel, added.ring_order, descriptors)
        except TransportError as error:  # a guest's pages may turn out to be none
            self._tell_event(worker.Violation(added.channel, str(error).encode()[:_TEXT_MAX]))
            return
        self._channels[added.channel] = Channel(added.channel, self._books, self)

    def _channel_remove(self, _: Header, payload: memoryview, __: Packet) -> None:
        number = worker.ChannelRemove.unpack(payload).channel
        if number in self._channels:
            self._drop(number)
        self._tell_counted(at_once=True)
        self._tell_event(worker.ChannelRemoved(number))

    def _told_to_drain(self, _: Header, __: memoryview, ___: Packet) -> None:
        self._farewell = self._farewell or Farewell()

    def _map_reply(self, header: Header, payload: memoryview, packet: Packet) -> None:
        channel, request, answer = self._maps.pop(header.serial)
        passed = packet.descriptors
        mapping = self._mapped(request, passed[0]) if passed else video.Failure.unpack(payload)
        if channel in self._channels:
            self._guard(channel, partial(answer, mapping))
        elif not isinstance(mapping, video.Failure):
            mapping.close()

    def _reserved(self, header: Header, payload: memoryview, _: Packet) -> None:
        channel, answer = self._reservations.pop(header.serial)
        if channel in self._channels:
            refusal = video.Failure.unpack(payload) if header.flags == FAILURE else None
            self._guard(channel, partial(answer, refusal))

    def _mapped(self, request: core.BufferAttach, descriptor: int) -> Mapping | video.Failure:
        try:
            return self._pages.map(
                descriptor, request.length, read_only=bool(request.flags & core.BufferFlag.READ_ONLY)
            )
        except GrantError as error:
            return failure_of(error)
        finally:
            self._pages.close(descriptor)

    def _device_lease(self, _: Header, payload: memoryview, __: Packet) -> None:
        told = worker.DeviceLease.unpack(payload)
        self._gates[told.device].lease(told.lease, told.budget)

    def _change_rates(self, _: Header, payload: memoryview, __: Packet) -> None:
        told = [number / 1000 for number in worker.Rates.unpack(payload)]
        self._books.throttle.change(told[:2], told[2:])
        self._tell_owed(self._books.throttle.news(at_any_rate=True))

    def _device_reset(self, _: Header, payload: memoryview, __: Packet) -> None:
        device = worker.DeviceReset.unpack(payload).device
        driver = self._books.devices[device].driver
        _attempt(driver.reset)  # what still hangs meets its own deadline
        if not driver.carries and any(session.call.device == device for session in self._live()):
            _log.error(
                "device %s is reset: its sessions end, and this worker with them", self._books.devices[device].name
            )
            self._running = False

    def _device_rest(self, _: Header, payload: memoryview, __: Packet) -> None:
        device = worker.DeviceRest.unpack(payload).device
        if all(session.call.device != device for session in self._live()):  # one may have been opened meanwhile
            _attempt(self._books.devices[device].driver.rest)

    def _trace(self, _: Header, payload: memoryview, packet: Packet) -> None:
        if not worker.Trace.unpack(payload).on:
            self._tracer.end()
            return
        self._tracer.begin(packet.descriptors[0])
        for channel, session in self._sessions.values():
            self._tracer.opened(channel.number, session)

    def _report(self, header: Header, _: memoryview, packet: Packet) -> None:
        report = report_of(self._books, self._channels.values(), self._loop.statistics())
        text = report_octets(report, REPORT_MAX)
        with suppress(OSError):  # whoever asked has had no patience: nobody's session is to end for that
            os.write(packet.descriptors[0], text)
        os.close(packet.descriptors[0])
        self._tell(message(worker.Report.OPCODE, REPLY, 0, header.serial, worker.ReportReply(len(text)).pack()))

    def _tell_event(self, event: worker.Event) -> None:
        self._tell(message(event.OPCODE, EVENT, 0, 0, event.pack()))

    def _tell(self, octets: bytes) -> None:
        """Waits for the supervisor when it is behind: it reads sooner or later, or its end ends this process."""
        self._control.send_waiting(octets)

    CONTROLS: ClassVar[dict[int, Callable[[Worker, Header, memoryview, Packet], None]]] = {
        worker.ChannelAdd.OPCODE: _channel_add,
        worker.ChannelRemove.OPCODE: _channel_remove,
        worker.Drain.OPCODE: _told_to_drain,
        worker.Map.OPCODE: _map_reply,
        worker.Reserve.OPCODE: _reserved,
        worker.Report.OPCODE: _report,
        worker.Rates.OPCODE: _change_rates,
        worker.DeviceLease.OPCODE: _device_lease,
        worker.DeviceReset.OPCODE: _device_reset,
        worker.DeviceRest.OPCODE: _device_rest,
        worker.Trace.OPCODE: _trace,
    }
    """What the supervisor may say."""


def _attempt(step: Callable[[], None]) -> None:
    """What a driver is asked to do for all its sessions; whatever it raises, they go on."""
    try:
        step()
    except Exception:  # noqa: BLE001 - see above
        _log.exception("a device")
