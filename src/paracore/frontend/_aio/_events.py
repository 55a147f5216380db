# SPDX-License-Identifier: Apache-2.0
"""A channel's events in an event loop: taken when its descriptor is readable, handed to the sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from paracore._errors import StateError
from paracore.frontend._running import FATAL

if TYPE_CHECKING:
    from paracore.frontend._channel import Channel

__all__ = ["Events", "Taking"]


class Taking(Protocol):
    """A session."""

    def take(self) -> None:
        """Takes the events that have arrived for it."""

    async def aclose(self) -> None:
        """Ends it."""


class Events:
    """A channel's events in the running event loop."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        self._fault: Exception | None = None
        self._descriptor = channel.fileno()
        self.sessions: WeakSet[Taking] = WeakSet()
        self._loop.add_reader(self._descriptor, self.take)

    def take(self) -> None:
        """Takes what has arrived, hands it to the sessions, and wakes whoever waits for news."""
        try:
            self._channel.pump(0.0)
            if not self._channel.arm():
                self._loop.call_soon(self._take_on)  # there is more already: others have their turn first
        except FATAL as fault:
            self._fault = fault
            self._loop.remove_reader(self._descriptor)
        for session in self.sessions:
            session.take()
        self._wake()

    def _take_on(self) -> None:
        if self._fault is None:
            self.take()

    async def wait(self, deadline: float | None) -> bool:
        """Waits for news; False when the deadline passed first."""
        if self._fault is not None:
            raise self._fault
        waiter = self._loop.create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def stop(self) -> None:
        """Listens no more."""
        self._fault = self._fault or StateError("closed", "open")
        self._loop.remove_reader(self._descriptor)
        self._wake()
