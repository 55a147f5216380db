# SPDX-License-Identifier: Apache-2.0
"""The supervisor's end of one worker: passes it channels and grants, and hears what it may say.

The worker may have been taken over by its domain. It can ask for grants of its own domain's channels, say
that it unmapped them, complain of a channel, and answer what it was asked; anything else ends it. It is
never waited for: what it does not read piles up to a bound, what it does not do in time ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from paracore._errors import GrantError, RemoteProtocolError, TransportBroken
from paracore.backend._alarm import ALARMED
from paracore.backend._handover import WorkerState
from paracore.backend._report_reader import ReportReader
from paracore.backend._worker_log import WorkerLog
from paracore.classes import worker
from paracore.protocol import EVENT, FAILURE, REPLY, REQUEST, message, split
from paracore.transport import SocketWire, WireFull, failure_of
from paracore.transport._rate import Bucket, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._config import Limits
    from paracore.backend._worker_owner import WorkerOwner
    from paracore.protocol import Header
    from paracore.transport import ChannelDescriptors

__all__ = ["WorkerEnd"]

_BURST: Final = 16
_RATE, _RATE_BURST = 2000.0, 1000.0
"""Wake-ups of the supervisor by one worker, a second and at once."""
_PAUSE: Final = 0.02
_BACKLOG_MAX: Final = 512
"""Messages that wait for a worker at most: far beyond what a working one ever leaves unread."""
_REMOVAL: Final = 5.0
"""Seconds a worker has to let go of a channel, or to end when it is told to."""
_REPORT: Final = 1.0
"""Seconds a worker has to report."""


class _Removal(NamedTuple):
    """A channel that the worker was told to let go of."""

    deadline: asyncio.TimerHandle
    released: Callable[[], None]


class WorkerEnd:
    """See the module.

    Attributes:
        pid: its process, 0 before the warm parent has told it.
    """

    def __init__(self, number: int, owner: WorkerOwner, adopted: WorkerState | None = None) -> None:
        """`adopted` is what the last program image has handed over; without it there is a worker to be ordered."""
        self.number = number
        self.pid = 0
        self._owner = owner
        self._pidfd = -1
        self._killed = self._ended = self._gone = False
        self._backlog: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._removals: dict[int, _Removal] = {}
        self._bucket = Bucket(_RATE, _RATE_BURST)
        self._last_serial = 0
        self._processor_time = self._carried = 0
        self._at: int | None = None
        self._loop = asyncio.get_running_loop()
        self._theirs: tuple[int, int] = (-1, -1)
        if adopted:
            self._adopt(adopted)
        else:
            self._make()
        self._resume()

    def _make(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wire = SocketWire(ours)
        errors, their_errors = os.pipe2(os.O_CLOEXEC)
        self._log = WorkerLog(errors, self._owner.name)
        self._theirs = theirs.detach(), their_errors

    # --- across a reload --------------------------------------------------------------------------

    def hand_over(self) -> WorkerState | None:
        """What the next program image needs to go on; None of a worker that has ended or is told to. Changes nothing."""
        if self._ended:
            return None
        errors, line = self._log.hand_over()
        return WorkerState(
            number=self.number,
            pid=self.pid,
            pidfd=self._pidfd,
            socket=self._wire.fileno(),
            errors=errors,
            line=line,
            serial=self._last_serial,
            processor_time=self._processor_time,
            removals=tuple(self._removals),
            backlog=tuple(self._backlog),
            at=self._at,
            carried=self._carried,
        )

    def _adopt(self, state: WorkerState) -> None:
        self._wire = SocketWire(socket.socket(fileno=state.socket))
        self._log = WorkerLog(state.errors, self._owner.name, state.line)
        self._last_serial, self._processor_time, self._carried = state.serial, state.processor_time, state.carried
        self._at = state.at
        for channel in state.removals:
            self._removals[channel] = _Removal(self._loop.call_later(_REMOVAL, self.kill), _nobody_waits)
        self._backlog.extend(state.backlog)
        if self._backlog:
            self._loop.add_writer(self._wire.fileno(), self._send_on)
        if state.pidfd >= 0:
            self.spawned(state.pid, state.pidfd)

    # --- its process ------------------------------------------------------------------------------

    def theirs(self) -> tuple[int, int]:
        """What the worker is born with: its end of the socket, its standard error."""
        return self._theirs

    def ordered(self) -> None:
        """The warm parent has them, or never will."""
        _close_all(self._theirs)

    def spawned(self, pid: int, pidfd: int) -> None:
        """It lives."""
        self.pid = pid
        self._pidfd = pidfd
        self._loop.add_reader(pidfd, self.exited)
        if self._killed:
            self.kill()

    def exited(self) -> None:
        """Its process has gone, and with it whatever it had mapped. What it wrote last is read to its end."""
        if self._gone:
            return
        self._gone = True
        self.receive()  # its last words
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self._end("its process has ended")
        for channel in list(self._removals):
            self._released(channel)

    def waited(self, status: int, used: int) -> None:
        """The same from the warm parent, which knows how it ended, and what it had used then."""
        self.exited()
        if used > self._processor_time:
            self._owner.worker_used(used - self._processor_time)
            self._processor_time = used
        if status == ALARMED:
            self._owner.worker_blocked(self._at)

    def orphaned(self) -> None:
        """The warm parent has gone: its workers are about to."""
        if self._pidfd < 0:
            self.exited()
        else:
            self.kill()

    def kill(self) -> None:
        """Ends it at once."""
        self._killed = True
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._end("it was ended")

    def dismiss(self) -> None:
        """Tells it to end, and makes sure."""
        self._end("it was dismissed")
        self._loop.call_later(_REMOVAL, self._make_sure)

    def _lose(self) -> None:
        """It has closed its socket: what is left of it may have pages mapped, and is nobody's to talk to."""
        self._end("it has gone")
        self.kill()

    def _make_sure(self) -> None:
        if self._pidfd >= 0 or not self.pid:
            self.kill()

    def _end(self, why: str) -> None:
        if self._ended:
            return
        self._ended = True
        for descriptor_ready in (self._loop.remove_reader, self._loop.remove_writer):
            descriptor_ready(self._wire.fileno())
        self._wire.close()
        while self._backlog:
            _close_all(self._backlog.popleft()[1])
        self._owner.worker_ended(self, why)

    # --- to the worker ----------------------------------------------------------------------------

    def channel_add(self, channel: int, ring_order: int, descriptors: ChannelDescriptors) -> None:
        """Passes a channel; the descriptors stay the caller's."""
        self._send_event(worker.ChannelAdd(channel, ring_order, descriptors.port), descriptors.passed)

    def channel_remove(self, channel: int, released: Callable[[], None]) -> None:
        """Takes a channel away, and ends a worker that does not let go of it.

        `released` is called once, when nothing of the channel is mapped any more: the worker has said so or has gone.
        """
        if self._gone:
            self._loop.call_soon(released)
            return
        self._removals[channel] = _Removal(self._loop.call_later(_REMOVAL, self.kill), released)
        self._send_event(worker.ChannelRemove(channel))

    @property
    def lets_go(self) -> bool:
        """Whether it was told to let go of a channel, and has not said so yet."""
        return bool(self._removals)

    def device_lease(self, device: int, lease: int, budget: int) -> None:
        """Tells of a device's time."""
        self._send_event(worker.DeviceLease(device, lease, budget))

    def rates(self, limits: Limits) -> None:
        """Tells how fast its domain may work."""
        pictures, macroblocks = limits.rates().values()
        self._send_event(worker.Rates(*(round(number * 1000) for number in (*pictures, *macroblocks))))

    def renice(self, nice: int) -> None:
        """Another part of the processors, for each of its threads and the process that opens its devices: their group.

        A worker that is just being born keeps what it was ordered with, and a backend that is not root's can only
        take away.
        """
        if self._pidfd < 0:
            return
        with suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, 0)  # it lives: the number is still its own
            os.setpriority(os.PRIO_PGRP, self.pid, nice)

    def device_reset(self, device: int) -> None:
        """Tells it to reset a device."""
        self._send_event(worker.DeviceReset(device))

    def drain(self) -> None:
        """Tells it to give out what it has, and to take no more."""
        self._send_event(worker.Drain())

    def device_rest(self, device: int) -> None:
        """Tells it that nobody uses a device."""
        self._send_event(worker.DeviceRest(device))

    def trace(self, memory: int | None) -> None:
        """Tells it to record what it does, in memory whose descriptor stays the caller's; None: no more."""
        self._send_event(worker.Trace(int(memory is not None)), () if memory is None else (memory,))

    def carry(self, late: int) -> None:
        """Its domain is to be charged by it for what the worker before used last."""
        self._carried += late

    def processor_time(self) -> int:
        """Nanoseconds that its process has used, as the kernel counts them: nobody takes a worker's word for it.

        And what it carries. Asked by whoever charges its domain, and by nobody else.
        """
        if self.pid:
            with suppress(OSError):
                self._processor_time = time.clock_gettime_ns(~self.pid << 3 | 2)  # clock_getcpuclockid(3)
        return self._processor_time + self._carried

    def _released(self, channel: int) -> None:
        if removal := self._removals.pop(channel, None):
            removal.deadline.cancel()
            removal.released()
            self._owner.worker_released()

    def report(self, done: Callable[[dict[str, Any] | None], None]) -> None:
        """Asks for a report; `done` is called once, with None if there is none in time."""
        reader = ReportReader(done, _REPORT)
        self._last_serial += 1
        octets = message(worker.Report.OPCODE, REQUEST, 0, self._last_serial, worker.Report().pack())
        self._send(octets, (reader.write_end,))
        reader.passed()

    def _send_event(self, event: worker.Event, descriptors: tuple[int, ...] = ()) -> None:
        self._send(message(event.OPCODE, EVENT, 0, 0, event.pack()), descriptors)

    def _send(self, octets: bytes, descriptors: tuple[int, ...] = ()) -> None:
        if self._ended:
            return
        if self._backlog:
            self._keep(octets, descriptors)
            return
        try:
            self._wire.send(octets, descriptors)
        except WireFull:
            self._keep(octets, descriptors)
        except TransportBroken:
            self._lose()

    def _keep(self, octets: bytes, descriptors: tuple[int, ...]) -> None:
        try:
            self._backlog.append((octets, tuple(os.dup(descriptor) for descriptor in descriptors)))
        except OSError:  # the host has no descriptors for one that does not read
            self.kill()
            return
        self._loop.add_writer(self._wire.fileno(), self._send_on)
        if len(self._backlog) > _BACKLOG_MAX:
            self.kill()

    def _send_on(self) -> None:
        while self._backlog:
            octets, descriptors = self._backlog[0]
            try:
                self._wire.send(octets, descriptors)
            except WireFull:
                return
            except TransportBroken:
                self._lose()
                return
            self._backlog.popleft()
            _close_all(descriptors)
        self._loop.remove_writer(self._wire.fileno())

    # --- from the worker --------------------------------------------------------------------------

    def receive(self, burst: int = _BURST) -> None:
        """Hears what it has said by now, up to a bound."""
        try:
            for _ in range(burst):
                if self._ended or (packet := self._wire.receive()) is None:
                    break
                if not packet.message:
                    self._lose()
                    return
                self._hear(packet.message)
        except RemoteProtocolError as error:
            self._end(f"it broke the protocol: {error}")
            self.kill()

    def hear(self) -> None:
        """The same out of turn, as often as a worker may be heard at all."""
        if self._bucket.take():
            self.receive()

    def _readable(self) -> None:
        self.receive()
        if not self._ended and not self._bucket.take():
            self._loop.remove_reader(self._wire.fileno())
            self._loop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        if not self._ended:
            self._loop.add_reader(self._wire.fileno(), self._readable)

    def _hear(self, octets: bytes) -> None:
        header, payload = split(octets)
        heard = self.WORDS.get((header.opcode, int(header.flags)))
        if heard is None:
            raise RemoteProtocolError(f"a worker's message {header.opcode:#06x} with flags {header.flags:#x}")
        heard(self, header, payload)

    def _map(self, header: Header, payload: memoryview) -> None:
        try:
            descriptor = self._owner.map(worker.Map.unpack(payload))
        except GrantError as error:
            self._send(message(worker.Map.OPCODE, FAILURE, 0, header.serial, failure_of(error).pack()))
            return
        self._send(message(worker.Map.OPCODE, REPLY, 0, header.serial, worker.MapReply().pack()), (descriptor,))
        os.close(descriptor)

    def _reserve(self, header: Header, payload: memoryview) -> None:
        refusal = self._owner.reserve(worker.Reserve.unpack(payload))
        flags, answer = (FAILURE, refusal) if refusal else (REPLY, worker.ReserveReply())
        self._send(message(worker.Reserve.OPCODE, flags, 0, header.serial, answer.pack()))

    def _unmap(self, _: Header, payload: memoryview) -> None:
        self._owner.unmap(worker.Unmap.unpack(payload))

    def _violation(self, _: Header, payload: memoryview) -> None:
        said = worker.Violation.unpack(payload)
        self._owner.violation(said.channel, printable(said.text.decode(errors="replace")))

    def _channel_removed(self, _: Header, payload: memoryview) -> None:
        self._released(worker.ChannelRemoved.unpack(payload).channel)

    def _device_want(self, _: Header, payload: memoryview) -> None:
        self._owner.device_want(worker.DeviceWant.unpack(payload).device)

    def _device_release(self, _: Header, payload: memoryview) -> None:
        said = worker.DeviceRelease.unpack(payload)
        self._owner.device_release(said.device, said.lease, wants=bool(said.wants))

    def _device_used(self, _: Header, payload: memoryview) -> None:
        said = worker.DeviceUsed.unpack(payload)
        self._owner.device_used(said.device, said.used)

    def _device_pace(self, _: Header, payload: memoryview) -> None:
        said = worker.DevicePace.unpack(payload)
        self._owner.device_pace(said.device, said.period)

    def _device_hang(self, _: Header, payload: memoryview) -> None:
        said = worker.DeviceHang.unpack(payload)
        self._owner.device_hang(said.device, stuck=bool(said.stuck))

    def _device_at(self, _: Header, payload: memoryview) -> None:
        self._at = worker.DeviceAt.unpack(payload).device

    def _device_use(self, _: Header, payload: memoryview) -> None:
        said = worker.DeviceUse.unpack(payload)
        self._owner.device_use(said.device, used=bool(said.used))

    def _rates_owed(self, _: Header, payload: memoryview) -> None:
        said = worker.RatesOwed.unpack(payload)
        self._owner.rates_owed(said.pictures / 1000, said.macroblocks / 1000)

    def _counted(self, _: Header, payload: memoryview) -> None:
        self._owner.counted(worker.Counted.unpack(payload)._asdict())

    def _drained(self, _: Header, __: memoryview) -> None:
        self._owner.worker_drained()

    def _reported(self, _: Header, __: memoryview) -> None:
        """The text itself is on its way through the pipe."""

    WORDS: ClassVar[dict[tuple[int, int], Callable[[WorkerEnd, Header, memoryview], None]]] = {
        (worker.Map.OPCODE, REQUEST): _map,
        (worker.Reserve.OPCODE, REQUEST): _reserve,
        (worker.Unmap.OPCODE, EVENT): _unmap,
        (worker.Violation.OPCODE, EVENT): _violation,
        (worker.ChannelRemoved.OPCODE, EVENT): _channel_removed,
        (worker.Report.OPCODE, REPLY): _reported,
        (worker.DeviceWant.OPCODE, EVENT): _device_want,
        (worker.DeviceRelease.OPCODE, EVENT): _device_release,
        (worker.DeviceUsed.OPCODE, EVENT): _device_used,
        (worker.DevicePace.OPCODE, EVENT): _device_pace,
        (worker.DeviceHang.OPCODE, EVENT): _device_hang,
        (worker.DeviceAt.OPCODE, EVENT): _device_at,
        (worker.DeviceUse.OPCODE, EVENT): _device_use,
        (worker.RatesOwed.OPCODE, EVENT): _rates_owed,
        (worker.Counted.OPCODE, EVENT): _counted,
        (worker.Drained.OPCODE, EVENT): _drained,
    }
    """What a worker may say."""


def _nobody_waits() -> None:
    """For a channel's pages: those of a port that outlives a reload are the backend's own."""


def _close_all(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
