# SPDX-License-Identifier: Apache-2.0
"""One channel in its worker: what a domain may ask, by one table from opcode to method.

A message gets here as a private copy whose header, size and reserved fields the loop has checked. What
its payload cannot be (an unknown enumerator) raises ``MessageError`` and ends the channel; what it may
not ask for now is a value: a call is answered with a failure, a post by ``post_failed``. Whatever a
driver raises ends that driver's session with ``session_failed(io)`` and nothing else.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from paracore._errors import MessageError
from paracore.backend._admission import DECLARATIONS, bounded_rate, bounded_samples, declared_rate
from paracore.backend._alarm import bounded
from paracore.backend._buffer import Buffer
from paracore.backend._gated import GatedSession
from paracore.backend._paced import PacedSession
from paracore.backend._session import Loan, Session
from paracore.classes import core, video
from paracore.classes._payload import Kind
from paracore.drivers import CallFailed
from paracore.protocol import BUFFER_MAX, EVENT, FAILURE, HEADER_SIZE, PAGE_SIZE, REPLY, Step, message
from paracore.protocol._wire import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paracore.backend._books import Books, Device
    from paracore.backend._outlet import Outlet
    from paracore.classes import Payload
    from paracore.drivers import Span, VideoSession
    from paracore.transport import Mapping

    _Method = Callable[["Channel", int, Any, int], Payload | None]
    _GoOn = Callable[[Session, Any], Payload]

__all__ = ["Channel"]

_log = logging.getLogger("paracore.worker")


class Channel:
    """See the module."""

    def __init__(self, number: int, books: Books, outlet: Outlet) -> None:
        self.number = number
        self.sessions: dict[int, Session] = {}
        self.buffers: dict[int, Buffer] = {}
        self._books = books
        self._outlet = outlet
        self._leaving = False
        self._attaching = 0
        self._last_session = self._last_buffer = 0

    @property
    def outstanding(self) -> int:
        """Calls and spans of the domain that are not answered yet."""
        return self._attaching + sum(session.outstanding for session in self.sessions.values())

    def serve(self, octets: bytes) -> None:
        """Serves one message.

        Raises:
            MessageError: it is none.
        """
        _, opcode, _, of, serial = HEADER.unpack_from(octets)
        row = _TABLE.get(opcode)
        if row is None:
            raise MessageError(f"{opcode:#06x} is no call of a channel")
        request = row.request.unpack(octets[HEADER_SIZE:])
        self._books.count("calls")
        try:
            reply = row.method(self, of, request, serial)
        except CallFailed as failed:
            self._refuse(row, of, serial, failed)
        else:
            if reply is not None:
                self._outlet.send(self.number, message(opcode, REPLY, of, serial, reply.pack()))

    def pump(self, session: Session) -> None:
        """Tells the domain what has happened in a session."""
        try:
            events = session.events()
        except Exception:  # noqa: BLE001 - whatever it is, it is this session's end
            _log.exception("session %d of channel %d", session.number, self.number)
            self._fail(session)
            return
        for event in events:
            self._tell(session, event)
        if session.leaving:
            self._drain_for_good(session)

    def leave(self) -> None:
        """The domain is about to be detached: no session takes anything more, and each gives out what it has."""
        self._leaving = True
        for session in list(self.sessions.values()):
            self._drain_for_good(session)

    def hang(self, session: Session) -> None:
        """The driver has been at one job of the session for too long: that is the session's end."""
        _log.error("session %d of channel %d hangs", session.number, self.number)
        self._books.count("hangs")
        session.stuck = not session.driver.stoppable
        self._fail(session, video.Error.TIMED_OUT)

    def close(self) -> None:
        """The process has gone: ends its sessions and unmaps its buffers."""
        for session in list(self.sessions.values()):
            self._end(session)
        while self.buffers:
            _, buffer = self.buffers.popitem()
            self._unmap(buffer)
        self._books.buffers -= self._attaching  # nobody will hear of those that are on their way

    # --- answering ------------------------------------------------------------------------------

    def _refuse(self, row: _Row, of: int, serial: int, failed: CallFailed) -> None:
        self._books.count("refused")
        limit = failed.limit or video.Limit.NONE
        if row.kind is Kind.CALL:
            payload = video.Failure(failed.error, limit, failed.allowed).pack()
            self._outlet.send(self.number, message(row.request.OPCODE, FAILURE, of, serial, payload))
        else:
            event = core.PostFailed(serial, row.request.OPCODE, failed.error, limit)
            self._outlet.send(self.number, message(event.OPCODE, EVENT, of, 0, event.pack()))

    def _tell(self, session: Session, event: video.Event) -> None:
        self._books.count("events")
        self._outlet.send(self.number, message(event.OPCODE, EVENT, session.number, 0, event.pack()))
        if isinstance(event, video.SourceChange):
            session.stream = event.format
            self._weigh(session)
        elif isinstance(event, video.SessionFailed):
            self._books.count("sessions_failed")
            self._end(session, forget=False)

    # --- class core -----------------------------------------------------------------------------

    def _device_query(self, of: int, request: core.DeviceQuery, _: int) -> core.DeviceQueryReply:
        device = self._device(of, request.index)
        return core.DeviceQueryReply(device.name, device.driver_name, core.DeviceClass.VIDEO, len(device.capabilities))

    def _limits_query(self, of: int, _: core.LimitsQuery, __: int) -> core.LimitsQueryReply:
        _check_whole(of)
        limits = self._books.limits
        return core.LimitsQueryReply(limits.channels, limits.sessions, limits.buffers, limits.outstanding, limits.bytes)

    def _buffer_attach(self, of: int, request: core.BufferAttach, serial: int) -> None:
        _check_whole(of)
        if request.length % PAGE_SIZE or not 0 < request.length <= BUFFER_MAX:
            raise CallFailed(video.Error.INVALID, allowed=BUFFER_MAX)
        self._books.check_outstanding(self.outstanding)
        self._books.enter_buffer()
        self._attaching += 1
        self._outlet.map(self.number, request, lambda mapping: self._attached(request, serial, mapping))

    def _attached(self, request: core.BufferAttach, serial: int, mapping: Mapping | video.Failure) -> None:
        """The supervisor's answer."""
        self._attaching -= 1
        if isinstance(mapping, video.Failure):
            self._books.buffers -= 1
            self._outlet.send(self.number, message(request.OPCODE, FAILURE, 0, serial, mapping.pack()))
            return
        self._last_buffer += 1
        self.buffers[self._last_buffer] = Buffer(self._last_buffer, request.grant, mapping)
        reply = core.BufferAttachReply(self._last_buffer)
        self._outlet.send(self.number, message(request.OPCODE, REPLY, 0, serial, reply.pack()))

    def _buffer_detach(self, of: int, request: core.BufferDetach, _: int) -> core.BufferDetachReply:
        _check_whole(of)
        buffer = self._buffer(request.buffer)
        if buffer.lent or any(self._holds(session, buffer) for session in self.sessions.values()):
            raise CallFailed(video.Error.BUSY)
        del self.buffers[request.buffer]
        self._unmap(buffer)
        return core.BufferDetachReply()

    # --- class video ----------------------------------------------------------------------------

    def _capability_query(self, of: int, request: video.CapabilityQuery, _: int) -> video.CapabilityQueryReply:
        capabilities = self._device(of, request.device).capabilities
        if request.index >= len(capabilities):
            raise CallFailed(video.Error.NO_ENTRY)
        return capabilities[request.index]

    def _open(self, of: int, request: video.Open, _: int) -> video.OpenReply:
        device = self._device(of, request.device)
        if self._leaving:
            raise CallFailed(video.Error.NO_DEVICE)
        if not any((can.codec, can.direction) == (request.codec, request.direction) for can in device.capabilities):
            raise CallFailed(video.Error.NOT_SUPPORTED)
        self._books.enter_session()
        try:
            session = self._opened(device, request)
        except BaseException:
            self._books.sessions -= 1
            raise
        self.sessions[session.number] = session
        return video.OpenReply(session.number)

    def _opened(self, device: Device, request: video.Open) -> Session:
        try:
            with self._bounded(request.device, device.job_deadline):
                driver = device.driver.open(request.codec, request.direction, request.flags)
            driver = self._behind_gates(driver, request)
            session = Session(self._last_session + 1, request, driver, device.job_deadline)
            driver.label(self.number, session.number)
            self._outlet.watch(self, session)
        except CallFailed:
            raise
        except Exception as error:
            _log.exception("device %s could not open %s", device.name, request.codec.name)
            raise CallFailed(video.Error.IO) from error
        self._last_session = session.number
        return session

    def _behind_gates(self, driver: VideoSession, request: video.Open) -> VideoSession:
        """A driver's session, with units that wait for the device's lease and, before that, for the domain's credit."""
        if gate := self._outlet.gate(request.device):
            driver = GatedSession(driver, request.direction, gate)
        return PacedSession(driver, request.direction, self._books.throttle, self._books.mark)

    def _close(self, of: int, _: video.Close, __: int) -> video.CloseReply:
        self._end(self._session(of, Step.CLOSE))
        return video.CloseReply()

    def _format_get(self, of: int, _: video.FormatGet, __: int) -> video.FormatGetReply:
        session = self._session(of, Step.FORMAT_GET)
        return video.FormatGetReply(self._drive(session, session.driver.format_get))

    def _format_set(self, of: int, request: video.FormatSet, serial: int) -> Payload | None:
        session = self._session(of, Step.FORMAT_SET)
        return self._once_admitted(
            session, session.need_with_format(request.format), request, serial, self._format_taken
        )

    def _format_taken(self, session: Session, request: video.FormatSet) -> video.FormatSetReply:
        session.check(Step.FORMAT_SET)
        done = self._drive(session, session.driver.format_set, request.format)
        session.take(Step.FORMAT_SET_REPLY)
        session.stream = request.format
        if declared_rate(request.format):
            self._pace(session, request.format.rate_num * 1000 // request.format.rate_den)
        return video.FormatSetReply(done)

    def _once_admitted(
        self, session: Session, rate: int, request: Payload, serial: int, go_on: _GoOn
    ) -> Payload | None:
        """Serves a call that declares `rate` samples a second once the supervisor has let the session in for them."""
        if session.asking:
            raise CallFailed(video.Error.BUSY)
        if rate == session.reserved:
            return go_on(session, request)
        self._books.check_outstanding(self.outstanding)
        session.asking = True
        self._outlet.reserve(
            self.number, session, rate, lambda refusal: self._admitted(session, rate, refusal, (request, serial), go_on)
        )
        return None

    def _admitted(
        self, session: Session, rate: int, refusal: video.Failure | None, reply_to: tuple[Payload, int], go_on: _GoOn
    ) -> None:
        """The supervisor's answer. Meanwhile the session may have gone on, failed, or been closed."""
        request, serial = reply_to
        session.asking = False
        try:
            session.admit(rate, refusal)
            reply = go_on(session, request)
        except CallFailed as failed:
            self._refuse(_TABLE[request.OPCODE], session.number, serial, failed)
        else:
            self._outlet.send(self.number, message(request.OPCODE, REPLY, session.number, serial, reply.pack()))

    def _control_get(self, of: int, request: video.ControlGet, _: int) -> video.ControlGetReply:
        session = self._session(of, Step.CONTROL_GET)
        if request.control in DECLARATIONS:
            return video.ControlGetReply(session.declared(request.control))
        return video.ControlGetReply(self._drive(session, session.driver.control_get, request.control))

    def _control_set(self, of: int, request: video.ControlSet, serial: int) -> Payload | None:
        session = self._session(of, Step.CONTROL_SET)
        if request.control not in DECLARATIONS:
            done = self._drive(session, session.driver.control_set, request.control, request.value)
            return video.ControlSetReply(done)
        if session.decodes and session.stream:
            return self._declared(session, request)
        return self._once_admitted(session, session.need_with(request), request, serial, self._declared)

    def _declared(self, session: Session, request: video.ControlSet) -> video.ControlSetReply:
        """A decoder whose stream has been met, now or before, goes on while it is weighed."""
        if request.control is video.Control.RATE:
            self._pace(session, request.value)
        else:
            session.expected = bounded_samples(request.value)
        if session.decodes:
            self._weigh(session)
        return video.ControlSetReply(session.declared(request.control))

    def _pace(self, session: Session, rate: int) -> None:
        """What the session declares, for the policy `deadline` and for its admission: the driver is not asked."""
        session.rate = bounded_rate(rate)
        self._outlet.paced(session)

    def _weigh(self, session: Session) -> None:
        """A decoder's stream has a size, and a rate or none: what it needs of the device is reserved, while it goes on."""
        if session.stream is None:
            return
        rate = session.need()
        if rate or session.reserved or session.weighing:
            session.weighing += 1
            self._outlet.reserve(self.number, session, rate, lambda refusal: self._weighed(session, rate, refusal))

    def _weighed(self, session: Session, rate: int, refusal: video.Failure | None) -> None:
        """The supervisor's answer. A stream that there is no room for is not shown: that is the session's end."""
        session.weighing -= 1
        if session.descriptor < 0:
            return
        if refusal:
            self._fail(session, *refusal)
        else:
            session.reserved = rate

    def _queue_input(self, of: int, request: video.QueueInput, _: int) -> None:
        session = self._session(of, Step.QUEUE_INPUT)
        buffer = self._buffer(request.span.buffer)
        span = buffer.span(request.span, write=False)
        self._lend(session, session.inputs, request.cookie, Loan(buffer, span.length))
        if session.leaving:
            session.keep(request.cookie)
        else:
            self._hand_over(session, span, request)
        session.take(Step.QUEUE_INPUT)

    def _hand_over(self, session: Session, span: Span, request: video.QueueInput) -> None:
        _, cookie, flags, timestamp, duration = request
        try:
            self._drive(session, session.driver.queue_input, span, cookie, flags, timestamp, duration)
        except CallFailed:
            session.unlend(session.inputs, cookie)
            raise

    def _queue_output(self, of: int, request: video.QueueOutput, _: int) -> None:
        session = self._session(of, Step.QUEUE_OUTPUT)
        buffer = self._buffer(request.span.buffer)
        span = buffer.span(request.span, write=True)
        self._lend(session, session.outputs, request.cookie, Loan(buffer, span.length))
        try:
            self._drive(session, session.driver.queue_output, span, request.cookie)
        except CallFailed:
            session.unlend(session.outputs, request.cookie)
            raise
        session.pay()
        if session.waits:
            self.pump(session)

    def _drain(self, of: int, _: video.Drain, __: int) -> None:
        session = self._session(of, Step.DRAIN)
        if session.leaving:
            session.asked_to_drain()
            self.pump(session)
            return
        self._drive(session, session.driver.drain)
        session.take(Step.DRAIN)

    def _drain_for_good(self, session: Session) -> None:
        """Unless that is under way or done. A driver that refuses has nothing to give out."""
        if session.descriptor >= 0 and session.leave():
            try:
                self._drive(session, session.driver.drain)
            except CallFailed:
                session.flushed()

    def _flush(self, of: int, _: video.Flush, __: int) -> video.FlushReply:
        session = self._session(of, Step.FLUSH)
        with self._bounded(session.call.device, session.seconds):
            self._drive(session, session.driver.flush)
        session.pay()
        self.pump(session)  # what was cancelled is told before the reply
        if session.leaving:
            session.flushed()
            self.pump(session)
        session.check(Step.FLUSH)  # unless the session failed of it
        session.take(Step.FLUSH_REPLY)
        return video.FlushReply()

    def _recall(self, of: int, _: video.Recall, __: int) -> video.RecallReply:
        session = self._session(of, Step.RECALL)
        self._drive(session, session.driver.recall)
        self.pump(session)  # what was cancelled is told before the reply
        session.check(Step.RECALL)
        return video.RecallReply()

    # --- finding and driving ----------------------------------------------------------------------

    def _device(self, of: int, index: int) -> Device:
        _check_whole(of)
        if index >= len(self._books.devices):
            raise CallFailed(video.Error.NO_ENTRY)
        return self._books.devices[index]

    def _session(self, number: int, step: Step) -> Session:
        session = self.sessions.get(number)
        if session is None:
            raise CallFailed(video.Error.NO_ENTRY)
        session.check(step)
        return session

    def _buffer(self, number: int) -> Buffer:
        buffer = self.buffers.get(number)
        if buffer is None:
            raise CallFailed(video.Error.NO_ENTRY)
        return buffer

    def _lend(self, session: Session, spans: dict[int, Loan], cookie: int, loan: Loan) -> None:
        self._books.check_outstanding(self.outstanding)
        session.lend(spans, cookie, loan)

    def _drive(self, session: Session, method: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the driver. Anything but a failure of the wire is the end of the session."""
        try:
            return method(*arguments)
        except CallFailed:
            raise
        except Exception as error:
            _log.exception("session %d of channel %d", session.number, self.number)
            self._fail(session)
            raise CallFailed(video.Error.IO) from error

    @contextmanager
    def _bounded(self, device: int, seconds: float) -> Iterator[None]:
        """A call of a device's driver may take so long. Which device's is told before: beyond that this process is no more."""
        if seconds:
            self._outlet.at(device)
        with bounded(seconds):
            yield

    def _holds(self, session: Session, buffer: Buffer) -> bool:
        return session.descriptor >= 0 and bool(self._drive(session, session.driver.holds, buffer.whole()))

    def _fail(
        self,
        session: Session,
        error: video.Error = video.Error.IO,
        limit: video.Limit = video.Limit.NONE,
        allowed: int = 0,
    ) -> None:
        """The session is over: the domain is told, and can only close it."""
        session.fail()
        self._tell(session, video.SessionFailed(error, limit, allowed))

    def _end(self, session: Session, *, forget: bool = True) -> None:
        """Stops the driver, once; with `forget` the session's number is nobody's any more."""
        if forget:
            del self.sessions[session.number]
            self._books.sessions -= 1
        if session.descriptor < 0:
            return
        self._outlet.unwatch(session)
        if session.reserved or session.asking or session.weighing:
            self._outlet.reserve(self.number, session, 0, lambda _: None)
        for what, number in session.counts().items():
            self._books.count(what, number)
        try:
            with self._bounded(session.call.device, session.seconds):
                session.over()
        except Exception:  # noqa: BLE001 - whatever it is, it is this session's end
            _log.exception("session %d of channel %d does not close", session.number, self.number)

    def _unmap(self, buffer: Buffer) -> None:
        self._books.buffers -= 1
        buffer.mapping.close()
        self._outlet.unmapped(self.number, buffer.grant)

    METHODS: ClassVar[dict[type[Payload], _Method]] = {
        core.DeviceQuery: _device_query,
        core.LimitsQuery: _limits_query,
        core.BufferAttach: _buffer_attach,
        core.BufferDetach: _buffer_detach,
        video.CapabilityQuery: _capability_query,
        video.Open: _open,
        video.Close: _close,
        video.FormatGet: _format_get,
        video.FormatSet: _format_set,
        video.ControlGet: _control_get,
        video.ControlSet: _control_set,
        video.QueueInput: _queue_input,
        video.QueueOutput: _queue_output,
        video.Drain: _drain,
        video.Flush: _flush,
        video.Recall: _recall,
    }
    """What is served, each with the channel, the session's number, the request and its serial."""


class _Row(NamedTuple):
    request: type[Payload]
    kind: Kind
    method: _Method


_TABLE: Final = {request.OPCODE: _Row(request, request.KIND, method) for request, method in Channel.METHODS.items()}


def _check_whole(of: int) -> None:
    """These calls are for the channel, not for a session."""
    if of:
        raise CallFailed(video.Error.INVALID)
