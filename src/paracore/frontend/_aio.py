# SPDX-License-Identifier: Apache-2.0
"""The API for asyncio: the same sessions, waited for by an event loop.

Nothing here blocks the loop: the few calls that wait for a reply (open, close, grant) are made on a
thread, and events are taken when the channel's descriptor is readable. A session may be used by several
tasks of one loop, say one that sends and one that receives.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack
from weakref import WeakSet

from paracore._errors import StateError
from paracore.classes import video
from paracore.frontend._capability import query_capabilities, query_devices, query_limits
from paracore.frontend._channel import Channel
from paracore.frontend._decoding import Decoding
from paracore.frontend._encoder import copy_planes
from paracore.frontend._encoding import Encoding
from paracore.frontend._opening import open_decoding, open_encoding
from paracore.frontend._picture import Format, WritablePicture
from paracore.frontend._running import FATAL, STARVATION_SECONDS, deadline_of
from paracore.frontend._settings import control_number

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable

    from paracore.classes import core
    from paracore.frontend._capability import Capability, DeviceFacts
    from paracore.frontend._channel import Statistics
    from paracore.frontend._encoder import Drawn
    from paracore.frontend._packet import EncodedPacket, Packet
    from paracore.frontend._picture import Picture
    from paracore.frontend._session import MemoryRequest, Session
    from paracore.frontend._settings import EncoderSettings

__all__ = ["AsyncDecoder", "AsyncDevice", "AsyncDomain", "AsyncEncoder", "open"]

T = TypeVar("T")
S = TypeVar("S", bound="Session")
C = TypeVar("C", bound="_Closing")


class _Closing:
    """What ends with ``aclose``."""

    async def aclose(self) -> None:
        """Ends it. Idempotent."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Opening(Generic[C]):
    """Something that is being opened: await it, or use it as an asynchronous context manager."""

    def __init__(self, opened: Callable[[], Awaitable[C]]) -> None:
        self._opened = opened
        self._value: C | None = None

    def __await__(self) -> Generator[Any, None, C]:
        return self._opened().__await__()

    async def __aenter__(self) -> C:
        self._value = await self._opened()
        return self._value

    async def __aexit__(self, *_: object) -> None:
        if self._value is not None:
            await self._value.aclose()


class _Events:
    """A channel's events in the running event loop."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        self._fault: Exception | None = None
        self._descriptor = channel.fileno()
        self.sessions: WeakSet[AsyncRunning[Any]] = WeakSet()
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


class AsyncRunning(_Closing, Generic[S]):
    """A session that is open, in an event loop."""

    def __init__(self, channel: Channel, events: _Events, session: int, state: S) -> None:
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


class AsyncDecoder(AsyncRunning[Decoding]):
    """A decoding session; see ``paracore.Decoder``."""

    async def decode(self, packets: Iterable[Packet] | AsyncIterable[Packet]) -> AsyncIterator[Picture]:
        """Decodes a whole stream, up to its last picture; may be used again for the next."""
        pictures = self._state.pictures
        async for packet in _each(packets):
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
        state = self._state
        state.check()
        length = memoryview(packet.data).nbytes
        async with self._serving:
            while (region := state.reserve(length)) is None:
                request = state.arena_request(length)
                if request is None:
                    return False
                await self._grant(request)
                state.check()
        region.fill(packet.data)
        state.submit(region, packet)
        await self._serve()
        return True

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
        return Format.of_wire(self._state.form) if self._state.form else None

    @property
    def refused(self) -> int:
        """Access units of which the codec could make nothing."""
        return self._state.refused


class AsyncEncoder(AsyncRunning[Encoding]):
    """An encoding session; see ``paracore.Encoder``."""

    async def encode(self, pictures: Iterable[Drawn] | AsyncIterable[Drawn]) -> AsyncIterator[EncodedPacket]:
        """Encodes a whole stream, up to its last packet; may be used again for the next."""
        packets = self._state.packets
        async for picture in _each(pictures):
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
        self._check_open()
        self._state.check()
        if not isinstance(picture, WritablePicture):
            target = await self.picture()
            copy_planes(picture, target)
            picture = target
        self._state.submit(picture)
        await self._serve()

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


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class AsyncDevice:
    """One coprocessor; see ``paracore.Device``."""

    def __init__(self, domain: AsyncDomain, facts: DeviceFacts, capabilities: tuple[Capability, ...]) -> None:
        self._domain = domain
        self._facts = facts
        self.name: str = facts.name
        self.driver: str = facts.driver
        self.capabilities = capabilities

    def decoder(self, codec: str, *, threads: int | None = None, low_delay: bool = False) -> _Opening[AsyncDecoder]:
        """Opens a decoder: ``async with device.decoder("h264") as decoder``, or await it."""
        return _Opening(partial(self._domain.open_decoder, self._facts, codec, threads=threads, low_delay=low_delay))

    def encoder(self, codec: str, **settings: Unpack[EncoderSettings]) -> _Opening[AsyncEncoder]:
        """Opens an encoder: ``async with device.encoder("h264", width=…, height=…) as encoder``, or await it."""
        return _Opening(partial(self._domain.open_encoder, self._facts, codec, settings))

    def __repr__(self) -> str:
        return f"<AsyncDevice {self.name} ({self.driver})>"


class AsyncDomain(_Closing):
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
        self._events = _Events(channel)
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
) -> _Opening[AsyncDomain]:
    """Opens a channel: ``async with paracore.aio.open() as domain``, or await it; see ``paracore.open``."""

    async def opened() -> AsyncDomain:
        return AsyncDomain(*await asyncio.to_thread(_open_channel, address, spin, timeout))

    return _Opening(opened)


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
