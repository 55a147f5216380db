# SPDX-License-Identifier: Apache-2.0
"""A domain's way in from an event loop: one channel and the devices behind it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Unpack
from weakref import WeakSet

from paracore.frontend._aio._decoder import AsyncDecoder
from paracore.frontend._aio._encoder import AsyncEncoder
from paracore.frontend._aio._ends import Closing, Opening
from paracore.frontend._aio._events import Succession
from paracore.frontend._capability import query_capabilities, query_devices, query_limits
from paracore.frontend._channels import Channels
from paracore.frontend._opening import DecoderOrder, EncoderOrder, Origin, open_on

if TYPE_CHECKING:
    import os

    from paracore.classes import core
    from paracore.frontend._capability import Capability, DeviceFacts
    from paracore.frontend._channel import Channel, Statistics
    from paracore.frontend._channels import OnLoss
    from paracore.frontend._opening import Opened, Order
    from paracore.frontend._settings import EncoderSettings

__all__ = ["AsyncDevice", "AsyncDomain", "open"]


class AsyncDevice:
    """One coprocessor; see ``paracore.Device``."""

    def __init__(self, domain: AsyncDomain, facts: DeviceFacts, capabilities: tuple[Capability, ...]) -> None:
        self._domain = domain
        self.name: str = facts.name
        self.driver: str = facts.driver
        self.capabilities = capabilities

    def decoder(
        self, codec: str, *, threads: int | None = None, low_delay: bool = False, rate: float | None = None
    ) -> Opening[AsyncDecoder]:
        """Opens a decoder: ``async with device.decoder("h264") as decoder``, or await it."""
        return Opening(partial(self._domain.open_decoder, DecoderOrder(self.name, codec, threads, low_delay, rate)))

    def encoder(self, codec: str, **settings: Unpack[EncoderSettings]) -> Opening[AsyncEncoder]:
        """Opens an encoder: ``async with device.encoder("h264", width=…, height=…) as encoder``, or await it."""
        return Opening(partial(self._domain.open_encoder, EncoderOrder(self.name, codec, settings)))

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
        channels: Channels,
        limits: core.LimitsQueryReply,
        devices: list[tuple[DeviceFacts, tuple[Capability, ...]]],
    ) -> None:
        self._channels = channels
        self._succession = Succession(channels)
        self._sessions: WeakSet[AsyncDecoder | AsyncEncoder] = WeakSet()
        self.name: str = channels.current.domain
        self.limits = limits
        self.devices: dict[str, AsyncDevice] = {facts.name: AsyncDevice(self, facts, able) for facts, able in devices}

    async def open_decoder(self, order: DecoderOrder) -> AsyncDecoder:
        """For ``AsyncDevice``."""
        channel, opened = await self._open(order)
        state = order.state(opened, self.limits, recovers=self._channels.recovers)
        decoder = AsyncDecoder(Origin(self._channels, order), self._succession, channel, opened.session, state)
        self._sessions.add(decoder)
        return decoder

    async def open_encoder(self, order: EncoderOrder) -> AsyncEncoder:
        """For ``AsyncDevice``."""
        channel, opened = await self._open(order)
        state = order.state(opened, recovers=self._channels.recovers)
        encoder = AsyncEncoder(Origin(self._channels, order), self._succession, channel, opened.session, state)
        self._sessions.add(encoder)
        return encoder

    async def _open(self, order: Order) -> tuple[Channel, Opened]:
        return await asyncio.to_thread(self._channels.ask, partial(open_on, order))

    def statistics(self) -> Statistics:
        """Counts since the channel was opened, which is the last one if others have been lost."""
        return self._channels.current.statistics()

    async def aclose(self) -> None:
        """Ends all sessions. Pictures that are still held stay as they are. Idempotent."""
        if self._channels.current.closed:
            return
        for session in list(self._sessions):
            await session.aclose()
        self._succession.stop()
        await asyncio.to_thread(self._channels.close)


def open(  # noqa: A001 - read as paracore.aio.open
    address: str | os.PathLike[str] | None = None,
    *,
    spin: float = 0.0,
    timeout: float = 10.0,
    on_loss: OnLoss = "recover",
) -> Opening[AsyncDomain]:
    """Opens a channel: ``async with paracore.aio.open() as domain``, or await it; see ``paracore.open``."""

    async def opened() -> AsyncDomain:
        return AsyncDomain(*await asyncio.to_thread(_open_channels, address, spin, timeout, on_loss))

    return Opening(opened)


def _open_channels(
    address: str | os.PathLike[str] | None, spin: float, timeout: float, on_loss: OnLoss
) -> tuple[Channels, core.LimitsQueryReply, list[tuple[DeviceFacts, tuple[Capability, ...]]]]:
    channels = Channels(address, spin=spin, timeout=timeout, on_loss=on_loss)
    try:
        return channels, channels.ask(query_limits), channels.ask(_devices_on)
    except BaseException:
        channels.close()
        raise


def _devices_on(channel: Channel) -> list[tuple[DeviceFacts, tuple[Capability, ...]]]:
    return [(facts, query_capabilities(channel, facts)) for facts in query_devices(channel).values()]
