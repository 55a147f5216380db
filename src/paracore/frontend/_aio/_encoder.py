# SPDX-License-Identifier: Apache-2.0
"""An encoder in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.frontend._aio._running import AsyncRunning, each
from paracore.frontend._encoder import give_again, in_own_pages
from paracore.frontend._encoding import Encoding
from paracore.frontend._running import deadline_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from paracore.frontend._encoder import Drawn
    from paracore.frontend._packet import EncodedPacket
    from paracore.frontend._picture import WritablePicture

__all__ = ["AsyncEncoder"]


class AsyncEncoder(AsyncRunning[Encoding]):
    """An encoding session; see ``paracore.Encoder``."""

    async def encode(self, pictures: Iterable[Drawn] | AsyncIterable[Drawn]) -> AsyncIterator[EncodedPacket]:
        """Encodes a whole stream, up to its last packet; may be used again for the next."""
        packets = self._state.packets
        async for picture in each(pictures):
            await self.send(picture)
            while packets:
                yield packets.popleft()
        await self.drain()
        while (packet := await self.receive()) is not None:
            yield packet

    async def picture(self) -> WritablePicture:
        """An empty picture to fill, in pages from which the device will read it."""
        while (picture := self._state.picture()) is None:
            await self._wait(None)
        return picture

    async def send(self, picture: Drawn) -> None:
        """Gives the device one picture; one that is not of ``picture()`` is copied first."""
        while not await self._try_send(picture):
            await self._wait(None)

    async def _try_send(self, picture: Drawn) -> bool:
        self._check_open()
        state = self._state
        state.check()
        if state.behind:
            return False
        if (target := in_own_pages(state, picture)) is None:
            return False
        state.submit(target)
        await self._serve()
        return True

    async def _catch_up(self) -> None:
        give_again(self._state)

    @property
    def lost(self) -> int:
        """Pictures of which there is no access unit because the device that had taken them was lost."""
        return self._state.lost

    async def receive(self, timeout: float | None = None) -> EncodedPacket | None:  # noqa: ASYNC109 - as above
        """The next access unit in decoding order; None when the time is over, or ``drained``."""
        state, deadline = self._state, deadline_of(timeout)
        self._check_open()
        while not state.packets:
            if state.drained:
                return None
            try:
                await self._wait(deadline)
            except TimeoutError:
                break
        return state.packets.popleft() if state.packets else None

    async def set_bitrate(self, bits_per_second: int) -> int:
        """Changes the bit rate, also in mid-stream; returns what the device made of it."""
        return await self.control("bitrate", bits_per_second)
