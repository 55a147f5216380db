# SPDX-License-Identifier: Apache-2.0
"""A decoder in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.frontend._aio._running import AsyncRunning, each
from paracore.frontend._decoding import Decoding
from paracore.frontend._faults import FATAL
from paracore.frontend._picture import Format
from paracore.frontend._running import deadline_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from paracore.frontend._buffers import Region
    from paracore.frontend._packet import Packet
    from paracore.frontend._picture import Picture

__all__ = ["AsyncDecoder"]


class AsyncDecoder(AsyncRunning[Decoding]):
    """A decoding session; see ``paracore.Decoder``."""

    async def decode(self, packets: Iterable[Packet] | AsyncIterable[Packet]) -> AsyncIterator[Picture]:
        """Decodes a whole stream, up to its last picture; may be used again for the next."""
        pictures = self._state.pictures
        async for packet in each(packets):
            while not await self._try_send(packet):
                if not pictures:
                    await self._wait(None)
                while pictures:
                    yield pictures.popleft()
            while pictures:
                yield pictures.popleft()
        await self.drain()
        while (picture := await self.receive()) is not None:
            yield picture

    async def send(self, packet: Packet) -> None:
        """Gives the device one access unit; waits while it has enough of them.

        When the device lacks room for pictures, this waits for another task to receive some.
        """
        while not await self._try_send(packet):
            await self._wait(None)

    async def _try_send(self, packet: Packet) -> bool:
        self._check_open()
        state, channel = self._state, self._channel
        state.check()
        try:
            async with self._serving:
                if state.behind:
                    await self._catch_up()
                octets = state.octets_of(packet)
                region = None if state.behind else await self._room(len(octets))
        except FATAL as fault:
            await self._go_on(channel, fault)
            return False
        if region is None:
            return False
        region.fill(octets)
        state.submit(region, packet)
        await self._serve()
        return True

    async def _room(self, length: int) -> Region | None:
        """Room for an access unit in the arena, which is granted if there is none large enough."""
        state = self._state
        while (region := state.reserve(length)) is None:
            request = state.arena_request(length)
            if request is None:
                return None
            await self._grant(request)
            state.check()
        return region

    async def _catch_up(self) -> None:
        state = self._state
        while (octets := state.octets_due()) is not None:
            if region := state.reserve(len(octets)):
                region.fill(octets)
                state.submit_again(region)
            elif request := state.arena_request(len(octets)):
                await self._grant(request)  # another task may have flushed meanwhile
                state.check()
            else:
                return

    async def receive(self, timeout: float | None = None) -> Picture | None:  # noqa: ASYNC109 - as the synchronous one
        """The next picture in the order of showing; None when the time is over, or ``drained``."""
        state, deadline = self._state, deadline_of(timeout)
        self._check_open()
        while not state.pictures:
            if state.drained:
                return None
            try:
                await self._wait(deadline)
            except TimeoutError:
                break
        return state.pictures.popleft() if state.pictures else None

    @property
    def format(self) -> Format | None:
        """What the stream looks like at its head; None before the decoder has met its first format."""
        return Format.of_wire(self._state.seen) if self._state.seen else None

    @property
    def refused(self) -> int:
        """Access units of which the codec could make nothing."""
        return self._state.refused
