# SPDX-License-Identifier: Apache-2.0
"""What waits for a session, asynchronously: the thin skin of I/O around its state."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from paracore._errors import StateError
from paracore.classes import video
from paracore.frontend._aio._ends import Closing
from paracore.frontend._running import FATAL, STARVATION_SECONDS
from paracore.frontend._settings import control_number

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from paracore.frontend._aio._events import Events
    from paracore.frontend._channel import Channel
    from paracore.frontend._session import MemoryRequest, Session

__all__ = ["AsyncRunning", "each"]

T = TypeVar("T")
S = TypeVar("S", bound="Session")


class AsyncRunning(Closing, Generic[S]):
    """A session that is open, in an event loop."""

    def __init__(self, channel: Channel, events: Events, session: int, state: S) -> None:
        self._channel = channel
        self._events = events
        self._line = channel.line(session)
        self._state = state
        self._closed = False
        self._serving = asyncio.Lock()
        events.sessions.add(self)

    # --- I/O --------------------------------------------------------------------------------

    def take(self) -> None:
        """Takes the events that have arrived."""
        inbox, state = self._line.inbox, self._state
        try:
            while inbox:
                state.receive(*inbox.popleft())
        except FATAL as fault:
            state.end(fault)

    async def _serve(self, *, waiting: bool = False) -> bool:
        """Gives the device what is due to it; true when memory was asked for, which is news to who waits."""
        state, channel = self._state, self._channel
        granted = False
        async with self._serving:  # one task at a time asks for memory
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

    async def _grant(self, request: MemoryRequest) -> None:
        granted = asyncio.to_thread(self._channel.grant, request.length, read_only=request.read_only)
        outcome = (await asyncio.gather(granted, return_exceptions=True))[0]
        request.answer(partial(_unwrapped, outcome))

    async def _wait(self, deadline: float | None) -> None:
        """Waits for news, and then for the loop to have served it.

        Raises:
            TimeoutError: the deadline passed first.
            QuotaExceeded: the device stands still because a limit of the domain keeps memory from it.
        """
        self._check_open()
        try:
            if await self._serve(waiting=True):
                return
            await self._wait_for_news(deadline)
            await self._serve()
        except FATAL as fault:
            self._state.end(fault)
            raise

    async def _wait_for_news(self, deadline: float | None) -> None:
        standstill = None if self._state.starvation is None else time.monotonic() + STARVATION_SECONDS
        limits = [limit for limit in (deadline, standstill) if limit is not None]
        if await self._events.wait(min(limits, default=None)):
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError
        self._state.starve()

    async def _call(self, request: Any, reply: Any, what: str) -> Any:
        self._check_open()
        return await asyncio.to_thread(self._channel.call, request, reply, what, self._line.session)

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
        await self._serve()
        await self._call(video.Flush(), video.FlushReply, "flush")
        self._events.take()
        self._state.flushed()

    async def control(self, name: str, value: int | None = None) -> int:
        """Reads a control, or sets it; see ``paracore.Decoder.control``."""
        number = control_number(name)
        if value is None:
            got = await self._call(video.ControlGet(number), video.ControlGetReply, f"reading {name}")
        else:
            request = video.ControlSet(number, value)
            got = await self._call(request, video.ControlSetReply, f"setting {name} to {value}")
        return int(got.value)

    async def aclose(self) -> None:
        """Ends the session. Pictures that are still held stay as they are. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._state.end(StateError("closed", "open"))
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
