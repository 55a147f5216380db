# SPDX-License-Identifier: Apache-2.0
"""A channel's events in an event loop: taken when its descriptor is readable, handed to the sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from paracore._errors import StateError
from paracore.frontend._faults import FATAL

if TYPE_CHECKING:
    from paracore.frontend._channel import Channel
    from paracore.frontend._channels import Channels

__all__ = ["Events", "Succession", "Taking"]


class Taking(Protocol):
    """A session."""

    def take(self) -> None:
        """Takes the events that have arrived for it."""

    async def aclose(self) -> None:
        """Ends it."""


class Events:
    """A channel's events in the running event loop.

    Attributes:
        channel: whose they are.
        sessions: those on it.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        self._fault: Exception | None = None
        self._descriptor = channel.fileno()
        self.sessions: WeakSet[Taking] = WeakSet()
        self._loop.add_reader(self._descriptor, self.take)

    def take(self) -> None:
        """Takes what has arrived, hands it to the sessions, and wakes whoever waits for news."""
        if self._fault is not None:
            return
        try:
            self.channel.pump(0.0)
            if not self.channel.arm():
                self._loop.call_soon(self.take)  # there is more already: others have their turn first
        except FATAL as fault:
            self._fault = fault.with_traceback(None)  # which would refer to all this, and keep the channel
            self._loop.remove_reader(self._descriptor)
        for session in self.sessions:
            session.take()
        self._wake()

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
        """Listens no more. Idempotent."""
        if self._fault is None:
            self._loop.remove_reader(self._descriptor)
        self._fault = self._fault or StateError("closed", "open")
        self._wake()


class Succession:
    """The channels of a domain, one after another, and the events of the last.

    Attributes:
        channels: the same without an event loop.
        events: of the last of them.
    """

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self.events = Events(channels.current)

    def present(self) -> Events:
        """The events of the present channel."""
        channel = self.channels.current
        if channel is not self.events.channel:
            self.events.take()  # which tells those who wait there that it is lost
            self.events = Events(channel)
        return self.events

    def stop(self) -> None:
        """Listens no more."""
        self.events.stop()
