# SPDX-License-Identifier: Apache-2.0
"""The daemon's end of the control ring: calls that are waited for, one connection for each process.

The backend is trusted to be there and with nothing else. One that breaks the protocol, does not read, or
does not answer in time is as good as gone: ``lost`` is done then, and every line has ended. Time in which this process
stood still, as in a guest that was paused, is not the backend's: its clock went on, and the backend's answer may be there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from paracore._errors import Error, RemoteProtocolError, TransportBroken
from paracore.classes import bridge
from paracore.frontend._daemon._outstanding import DEVICE, Answer, Farewell, Outstanding
from paracore.transport import CallRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.classes._payload import Payload

__all__ = ["Bridge", "Ended", "Line", "Ring"]

_Reply = TypeVar("_Reply")

_LATE: Final = 1.0
"""Seconds by which a lost backend may be noticed late; and by which a look may be late before this process stood still."""


class Ring(Protocol):
    """What is needed of ``transport.xen.ControlRing``."""

    def fileno(self) -> int: ...

    def receive(self) -> list[bytes]: ...

    def send(self, octets: bytes) -> None: ...

    def close(self) -> None: ...


class Ended(Error):  # noqa: N818 - says what happened
    """The backend has ended the connection, or has gone."""

    def __init__(self, reason: bridge.Refusal, limit: bridge.Limit = bridge.Limit.NONE) -> None:
        super().__init__(f"ended by the backend: {reason.name.lower()}")
        self.reason = reason
        self.limit = limit


class Line:
    """One connection on the bridge, from before its ``connect`` until its ``disconnect`` is answered.

    Attributes:
        number: what the wire calls it.
        ended: why the backend has ended it, None while it has not.
    """

    def __init__(self, bridge_: Bridge, number: int, on_end: Callable[[], None]) -> None:
        self.number = number
        self.ended: Ended | None = None
        self._bridge = bridge_
        self._on_end = on_end
        self._waiting: asyncio.Future[Payload] | None = None
        self._leaving = False

    async def call(self, request: Payload, reply_type: type[_Reply]) -> _Reply:
        """The reply to one call, of the type that belongs to it.

        Raises:
            CallRefused: the backend answered with a failure.
            Ended: it has ended this connection, or has gone.
        """
        if self.ended:
            raise self.ended
        reply = await self._wait(request)
        assert isinstance(reply, reply_type)
        return reply

    async def disconnect(self) -> None:
        """Returns when the backend has let go of all that the connection held, or has gone itself.

        Who is cancelled before that leaves the number taken: its answer may be on its way.
        """
        self._leaving = True
        with suppress(CallRefused, Ended):
            await self._wait(bridge.Disconnect())
        self._bridge.free(self)

    async def _wait(self, request: Payload) -> Payload:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self._bridge.ask(self, request)
            return await self._waiting
        finally:
            self._waiting = None

    def answered(self, answer: Answer) -> None:
        """The backend has answered."""
        if self._waiting and not self._waiting.done():
            if answer.failure:
                self._waiting.set_exception(CallRefused(answer.failure))
            elif answer.reply is not None:
                self._waiting.set_result(answer.reply)

    def end(self, why: Ended) -> None:
        """The backend has ended it: whoever waits is told, and whoever does not. A goodbye is no answer to `disconnect`,
        before which the backend still has what the connection holds.
        """
        self.ended = self.ended or why
        if self._leaving and not self._bridge.lost.done():
            return
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(why)
        self._on_end()


class Bridge:
    """See the module. Takes the ring over.

    Attributes:
        lost: done when the backend has gone, with what was wrong.
    """

    def __init__(self, ring: Ring, patience: float) -> None:
        self._ring = ring
        self._patience = patience
        self._rules = Outstanding()
        self._loop = asyncio.get_running_loop()
        self._device = Line(self, DEVICE, lambda: None)
        self._lines: dict[int, Line] = {}
        self._asked: dict[int, float] = {}
        self._heard = self._loop.time()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._loop.add_reader(ring.fileno(), self._readable)
        self._check: asyncio.TimerHandle | None = None

    def line(self, on_end: Callable[[], None]) -> Line:
        """A new connection under the lowest number that is free; `on_end` is called when the backend ends it."""
        number = next(number for number in range(1, len(self._lines) + 2) if number not in self._lines)
        line = Line(self, number, on_end)
        if self.lost.done():
            line.ended = Ended(bridge.Refusal.NO_BACKEND)
            return line
        self._lines[number] = line
        if not self._check:
            self._heard = self._loop.time()
            self._look_later()
        return line

    def free(self, line: Line) -> None:
        """The backend knows nothing of it any more: its number may be used again."""
        self._lines.pop(line.number, None)

    def ask(self, line: Line, request: Payload) -> None:
        """Sends one call; the line is told the answer."""
        if self.lost.done():
            raise Ended(bridge.Refusal.NO_BACKEND)
        octets = self._rules.call(line.number, request)
        self._asked[line.number] = self._loop.time()
        try:
            self._ring.send(octets)
        except (RemoteProtocolError, TransportBroken) as error:
            self._end(bridge.Refusal.SHUTDOWN, str(error))
            raise Ended(bridge.Refusal.SHUTDOWN) from error

    def close(self, reason: bridge.Refusal, why: str) -> None:
        """Ends every line and lets go of the ring; what the backend has said by now is heard first. Idempotent."""
        self._readable()
        self._end(reason, why)

    def _end(self, reason: bridge.Refusal, why: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(why)
        if self._check:
            self._check.cancel()
        self._loop.remove_reader(self._ring.fileno())
        self._ring.close()
        while self._lines:
            _, line = self._lines.popitem()
            line.end(Ended(reason))
        self._device.end(Ended(reason))

    # --- from the backend ---------------------------------------------------------------------------

    def _readable(self) -> None:
        if self.lost.done():
            return
        try:
            for octets in self._ring.receive():
                self._hear(octets)
        except RemoteProtocolError as error:
            self._end(bridge.Refusal.SHUTDOWN, f"the backend broke the protocol: {error}")

    def _hear(self, octets: bytes) -> None:
        told = self._rules.receive(octets)
        self._heard = self._loop.time()
        if isinstance(told, Answer):
            self._asked.pop(told.connection, None)
            self._line(told.connection).answered(told)
        elif isinstance(told, Farewell):
            if told.connection not in self._rules:
                self._asked.pop(told.connection, None)
            self._line(told.connection).end(Ended(told.goodbye.reason, told.goodbye.limit))

    def _line(self, number: int) -> Line:
        return self._lines[number] if number else self._device

    # --- patience -----------------------------------------------------------------------------------

    def _look_later(self) -> None:
        self._check = self._loop.call_later(min(_LATE, self._patience / 4), self._look)

    def _look(self) -> None:
        """Whether the backend still answers; asks as long as there is somebody whom its death would keep waiting."""
        assert self._check is not None  # this is it
        now, late = self._loop.time(), self._loop.time() - self._check.when() > _LATE
        self._check = None
        if late:
            self._asked = dict.fromkeys(self._asked, now)
        if self._asked and now - min(self._asked.values()) > self._patience:
            self._end(bridge.Refusal.SHUTDOWN, f"the backend has not answered for {self._patience:g} seconds")
        elif self._lines:
            self._look_later()
            if DEVICE not in self._rules and now - self._heard > self._patience / 4:
                with suppress(Ended):  # then everybody has been told
                    self.ask(self._device, bridge.Ping())
