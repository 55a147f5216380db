# SPDX-License-Identifier: Apache-2.0
"""A domain's way in from an event loop: one channel and the devices behind it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Unpack

from paracore.frontend._aio._decoder import AsyncDecoder
from paracore.frontend._aio._encoder import AsyncEncoder
from paracore.frontend._aio._ends import Closing, Opening
from paracore.frontend._aio._events import Events
from paracore.frontend._capability import query_capabilities, query_devices, query_limits
from paracore.frontend._channel import Channel
from paracore.frontend._opening import open_decoding, open_encoding

if TYPE_CHECKING:
    import os

    from paracore.classes import core
    from paracore.frontend._capability import Capability, DeviceFacts
    from paracore.frontend._channel import Statistics
    from paracore.frontend._settings import EncoderSettings

__all__ = ["AsyncDevice", "AsyncDomain", "open"]


class AsyncDevice:
    """One coprocessor; see ``paracore.Device``."""

    def __init__(self, domain: AsyncDomain, facts: DeviceFacts, capabilities: tuple[Capability, ...]) -> None:
        self._domain = domain
        self._facts = facts
        self.name: str = facts.name
        self.driver: str = facts.driver
        self.capabilities = capabilities

    def decoder(self, codec: str, *, threads: int | None = None, low_delay: bool = False) -> Opening[AsyncDecoder]:
        """Opens a decoder: ``async with device.decoder("h264") as decoder``, or await it."""
        return Opening(partial(self._domain.open_decoder, self._facts, codec, threads=threads, low_delay=low_delay))

    def encoder(self, codec: str, **settings: Unpack[EncoderSettings]) -> Opening[AsyncEncoder]:
        """Opens an encoder: ``async with device.encoder("h264", width=…, height=…) as encoder``, or await it."""
        return Opening(partial(self._domain.open_encoder, self._facts, codec, settings))

    def __repr__(self) -> str:
        return f"<AsyncDevice {self.name} ({self.driver})>"


class AsyncDomain(Closing):
    """This process's channel in an event loop; see ``paracore.Domain``.

    Attributes:
        name: by which the backend knows the domain.
        devices: that it may use, by name.
        limits: what the backend's configuration allows it.
    """

    def __init__(
        self,
        channel: Channel,
        limits: core.LimitsQueryReply,
        devices: list[tuple[DeviceFacts, tuple[Capability, ...]]],
    ) -> None:
        self._channel = channel
        self._events = Events(channel)
        self.name: str = channel.domain
        self.limits = limits
        self.devices: dict[str, AsyncDevice] = {facts.name: AsyncDevice(self, facts, able) for facts, able in devices}

    async def open_decoder(
        self, facts: DeviceFacts, codec: str, *, threads: int | None, low_delay: bool
    ) -> AsyncDecoder:
        """For ``AsyncDevice``."""
        opened = partial(open_decoding, self._channel, facts, self.limits, codec, threads=threads, low_delay=low_delay)
        session, state = await asyncio.to_thread(opened)
        return AsyncDecoder(self._channel, self._events, session, state)

    async def open_encoder(self, facts: DeviceFacts, codec: str, settings: EncoderSettings) -> AsyncEncoder:
        """For ``AsyncDevice``."""
        session, state = await asyncio.to_thread(open_encoding, self._channel, facts, codec, settings)
        return AsyncEncoder(self._channel, self._events, session, state)

    def statistics(self) -> Statistics:
        """Counts since the channel was opened."""
        return self._channel.statistics()

    async def aclose(self) -> None:
        """Ends all sessions. Pictures that are still held stay as they are. Idempotent."""
        if self._channel.closed:
            return
        for session in list(self._events.sessions):
            await session.aclose()
        self._events.stop()
        await asyncio.to_thread(self._channel.close)


def open(  # noqa: A001 - read as paracore.aio.open
    address: str | os.PathLike[str] | None = None, *, spin: float = 0.0, timeout: float = 10.0
) -> Opening[AsyncDomain]:
    """Opens a channel: ``async with paracore.aio.open() as domain``, or await it; see ``paracore.open``."""

    async def opened() -> AsyncDomain:
        return AsyncDomain(*await asyncio.to_thread(_open_channel, address, spin, timeout))

    return Opening(opened)


def _open_channel(
    address: str | os.PathLike[str] | None, spin: float, timeout: float
) -> tuple[Channel, core.LimitsQueryReply, list[tuple[DeviceFacts, tuple[Capability, ...]]]]:
    channel = Channel(address, spin=spin, timeout=timeout)
    try:
        devices = [(facts, query_capabilities(channel, facts)) for facts in query_devices(channel).values()]
        return channel, query_limits(channel), devices
    except BaseException:
        channel.close()
        raise
