# SPDX-License-Identifier: Apache-2.0
"""What waits for a session, asynchronously: the thin skin of I/O around its state.

The channel's loss is met as in the synchronous twin. Several tasks may meet it: one task of its own opens the session again,
and all wait for that, so that a cancellation of theirs leaves nothing half done.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from paracore._errors import StateError
from paracore.classes import video
from paracore.frontend._aio._ends import Closing
from paracore.frontend._faults import FATAL
from paracore.frontend._running import STARVATION_SECONDS
from paracore.frontend._settings import control_number

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from paracore.frontend._aio._events import Succession
    from paracore.frontend._channel import Channel
    from paracore.frontend._opening import Origin
    from paracore.frontend._session import MemoryRequest, Session

__all__ = ["AsyncRunning", "each"]

T = TypeVar("T")
S = TypeVar("S", bound="Session")


class AsyncRunning(Closing, ABC, Generic[S]):
    """A session that is open, in an event loop."""

    def __init__(self, origin: Origin, succession: Succession, channel: Channel, session: int, state: S) -> None:
        self._origin = origin
        self._succession = succession
        self._channel = channel
        self._events = succession.present()
        self._line = channel.line(session)
        self._state = state
        self._closed = False
        self._news = 0  # counted, for who looks elsewhere while it comes
        self._serving = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._events.sessions.add(self)

    # --- loss -------------------------------------------------------------------------------

    @property
    def recoveries(self) -> int:
        """How often the device was lost and this session went on with another."""
        return self._state.recoveries

    async def _go_on(self, channel: Channel, fault: Exception) -> None:
        """Opens the session again on the channel that follows a lost one, unless that has been done.

        Raises:
            Exception: the fault, when that is not what it says, or there is no going on. While something waits to be
                taken by the user it is the state's alone, to be met after that.
        """
        if channel is self._channel:
            if self._recovery is None:
                self._recovery = asyncio.create_task(self._recover(fault))
            await asyncio.shield(self._recovery)
        if not self._state.ready:
            self._state.check()
        fault.__traceback__ = None  # its frames would keep the lost channel, and its memory

    async def _recover(self, fault: Exception) -> None:
        """The same as a task: what it comes to is the state's."""
        async with self._serving:
            self._salvage()
            try:
                opening = partial(self._origin.open_again, self._channel, self._state, fault)
                channel, opened = await asyncio.to_thread(opening)
                self._channel, self._line = channel, channel.line(opened.session)
                self._events = self._succession.present()
                self._events.sessions.add(self)
                self._state.reopened(opened.form)
            except Exception as end:  # noqa: BLE001 - everybody who waits is told
                self._events.take()  # what the device said before
                self.take()
                self._state.end(end)
        self._recovery = None

    def _salvage(self) -> None:
        """Takes what the device has said before its channel ended, as far as no other could say it again."""
        if not self._channel.lost:
            return
        with suppress(*FATAL):
            self._channel.pump(0.0)
        with suppress(*FATAL):
            self._state.salvage(self._line.inbox)

    # --- I/O --------------------------------------------------------------------------------

    def take(self) -> None:
        """Takes the events that have arrived."""
        inbox, state = self._line.inbox, self._state
        self._news += bool(inbox)
        try:
            while inbox:
                state.receive(*inbox.popleft())
        except FATAL as fault:
            state.end(fault)

    async def _serve(self, *, waiting: bool = False) -> bool:
        """Gives the device what is due to it; true when there is news already for who waits."""
        channel = self._channel
        try:
            return await self._give(waiting=waiting)
        except FATAL as fault:
            await self._go_on(channel, fault)
            return True

    async def _give(self, *, waiting: bool) -> bool:
        """Gives the device what is due to it; true when memory was asked for, which is news to who waits."""
        state = self._state
        granted = False
        async with self._serving:  # one task at a time asks for memory
            channel = self._channel
            if state.behind:
                await self._catch_up()
            while (request := state.memory_request(waiting=waiting)) is not None:
                await self._grant(request)
                granted = True
            if channel.littered:
                await asyncio.to_thread(channel.reap)
        posts = state.take_posts()
        if posts:
            self._line.post(posts)
            self._line.publish()
        state.check()
        return granted

    @abstractmethod
    async def _catch_up(self) -> None:
        """Gives the device what its lost predecessor had, as far as there is room for it now."""

    async def _grant(self, request: MemoryRequest) -> None:
        granted = asyncio.to_thread(self._channel.grant, request.length, read_only=request.read_only)
        outcome = (await asyncio.gather(granted, return_exceptions=True))[0]
        request.answer(partial(_unwrapped, outcome))
        self._news += 1

    async def _wait(self, deadline: float | None) -> None:
        """Waits for news, and then for the loop to have served it.

        Raises:
            TimeoutError: the deadline passed first.
            QuotaExceeded: the device stands still because a limit of the domain keeps memory from it.
        """
        self._check_open()
        self._state.check()
        channel, news = self._channel, self._news
        try:
            if await self._serve(waiting=True):
                return
            if self._news == news:  # none has come while the device was served
                await self._wait_for_news(deadline)
            await self._serve()
        except FATAL as fault:
            await self._go_on(channel, fault)

    async def _wait_for_news(self, deadline: float | None) -> None:
        standstill = None if self._state.starvation is None else time.monotonic() + STARVATION_SECONDS
        if self._channel.lost:
            self._line.publish()  # raises what it was lost by: that was told before this session listened
        limits = [limit for limit in (deadline, standstill) if limit is not None]
        if await self._events.wait(min(limits, default=None)):
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError
        self._state.starve()

    async def _call(self, request: Any, reply: Any, what: str) -> Any:
        self._check_open()
        while True:
            channel = self._channel
            try:
                return await asyncio.to_thread(channel.call, request, reply, what, self._line.session)
            except FATAL as fault:
                if not channel.lost:
                    raise
                await self._go_on(channel, fault)
                self._state.check()

    # --- what both directions offer ---------------------------------------------------------

    async def drain(self) -> None:
        """Says that no more input comes for now: what is under way is given out.

        Raises:
            StateError: a drain is under way.
        """
        self._check_open()
        self._state.drain()
        await self._serve()

    @property
    def drained(self) -> bool:
        """A drain is complete, and nothing has been sent since."""
        return self._state.drained

    async def flush(self) -> None:
        """Forgets all that is under way: to go on elsewhere in the stream."""
        state, flushed = self._state, -1
        while flushed != state.recoveries:  # a device that is lost meanwhile has a successor to be flushed
            await self._serve()
            await self._call(video.Flush(), video.FlushReply, "flush")
            state.forget()
            flushed = state.recoveries
            self._events.take()
        state.flushed()

    async def control(self, name: str, value: int | None = None) -> int:
        """Reads a control, or sets it; see ``paracore.Decoder.control``."""
        number = control_number(name)
        if value is None:
            got = await self._call(video.ControlGet(number), video.ControlGetReply, f"reading {name}")
        else:
            request = video.ControlSet(number, value)
            got = await self._call(request, video.ControlSetReply, f"setting {name} to {value}")
            self._origin.controls[name] = value
        return int(got.value)

    async def aclose(self) -> None:
        """Ends the session. Pictures that are still held stay as they are. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._state.end(StateError("closed", "open"))
        if self._recovery is not None:
            await asyncio.wait({self._recovery})
        if not self._channel.closed:
            await asyncio.to_thread(self._channel.close_session, self._line.session)
            self._state.dispose()
            await asyncio.to_thread(self._channel.reap)
        self._state.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StateError("closed", "open")


def _unwrapped(outcome: T | BaseException) -> T:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """The items, whichever way they come."""
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
