# SPDX-License-Identifier: Apache-2.0
"""The calls that open a session. They wait for replies; the asynchronous API makes them on a thread."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from paracore._errors import DriverError, Error, LocalProtocolError, MediaError
from paracore._native._frontend import ffi
from paracore.classes import video
from paracore.frontend._awaited import Awaited
from paracore.frontend._capability import describe, require
from paracore.frontend._decoding import Decoding
from paracore.frontend._encoding import Encoding
from paracore.frontend._faults import FATAL
from paracore.frontend._history import History
from paracore.frontend._settings import EncoderSettings, control_number, controls_of, wire_format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paracore.classes import core
    from paracore.frontend._capability import DeviceFacts
    from paracore.frontend._channel import Channel
    from paracore.frontend._channels import Channels

__all__ = ["DecoderOrder", "EncoderOrder", "Opened", "Order", "Origin", "open_on"]


class Order(Protocol):
    """What a session was opened with: enough to open it again elsewhere."""

    @property
    def device(self) -> str:
        """The device's name."""

    def open(self, channel: Channel, facts: DeviceFacts) -> Opened:
        """Opens a session."""


class Opened(NamedTuple):
    """A session that is open.

    Attributes:
        session: its number.
        form: an encoder's format, as the device wants it.
        writable: an encoder's pictures are read in place only where the device may write.
    """

    session: int
    form: video.PictureFormat | None = None
    writable: bool = False


class DecoderOrder(NamedTuple):
    """A decoder; see ``Device.decoder``."""

    device: str
    codec: str
    threads: int | None
    low_delay: bool
    rate: float | None = None

    def open(self, channel: Channel, facts: DeviceFacts) -> Opened:
        """Opens it.

        Raises:
            MediaError: the device cannot decode that.
            QuotaExceeded: the domain has as many sessions as it may.
        """
        with _opened(channel, facts, self.codec, "decode", low_delay=self.low_delay) as session:
            rate = None if self.rate is None else round(self.rate * 1000)
            controls = {"threads": self.threads, "rate": rate}
            _set_controls(channel, session, {name: value for name, value in controls.items() if value is not None})
            return Opened(session)

    def state(self, _: Opened, limits: core.LimitsQueryReply, *, recovers: bool) -> Decoding:
        """The decoder's state."""
        return Decoding(limits.outstanding, History(self.codec) if recovers else None)


class EncoderOrder(NamedTuple):
    """An encoder; see ``Device.encoder``."""

    device: str
    codec: str
    settings: EncoderSettings

    def open(self, channel: Channel, facts: DeviceFacts) -> Opened:
        """Opens it.

        Raises:
            MediaError: the device cannot encode that, or not from such pictures.
            QuotaExceeded: the domain has as many sessions as it may.
            ValueError: a setting has no such value.
        """
        codec, settings = self.codec, self.settings
        capability = require(channel, facts, codec, "encode")
        wish = wire_format_of(settings, capability)
        controls = controls_of(settings)
        lacking = sorted(set(controls) - set(capability.controls))
        if lacking:
            has = ", ".join(capability.controls)
            raise MediaError(f"the {codec} encoder has no {', '.join(lacking)}; it has {has}")
        with _opened(channel, facts, codec, "encode", low_delay=settings.get("low_delay", False)) as session:
            _set_controls(channel, session, controls)
            return Opened(session, _set_format(channel, session, self, wish), capability.writable_input)

    def state(self, opened: Opened, *, recovers: bool) -> Encoding:
        """The encoder's state."""
        assert opened.form is not None
        return Encoding(opened.form, _copy_out, writable=opened.writable, awaited=Awaited() if recovers else None)


def open_on(order: Order, channel: Channel) -> tuple[Channel, Opened]:
    """Opens a session on that channel, which is returned for who does not know it."""
    return channel, order.open(channel, describe(channel, order.device))


class Losing(Protocol):
    """The state of a session, as far as losses go."""

    def lose(self) -> bool:
        """The device is lost; whether there is hope with another one."""


class Origin:
    """Where a session comes from, and what there is to know to have it again.

    Attributes:
        channels: of the domain.
        order: what it was opened with.
        controls: that have been set since.
    """

    __slots__ = ("channels", "controls", "order")

    def __init__(self, channels: Channels, order: Order) -> None:
        self.channels = channels
        self.order = order
        self.controls: dict[str, int] = {}

    def open_again(self, lost: Channel, state: Losing, fault: Exception) -> tuple[Channel, Opened]:
        """Opens the session on the channel that follows a lost one. May take as long as connecting may.

        Args:
            lost: its channel.
            state: of the session; is asked before each attempt.
            fault: what the loss was met as.

        Raises:
            Exception: the fault, when that is not what it says, or there is no going on.
        """
        channel = lost
        while channel.lost and state.lose():
            try:
                channel = self.channels.follow(channel, fault)
                return channel, self._open(channel)
            except FATAL as again:
                if again is fault:
                    break
            except (Error, TimeoutError) as reason:
                raise fault from reason
        raise fault

    def _open(self, channel: Channel) -> Opened:
        _, opened = open_on(self.order, channel)
        try:
            _set_controls(channel, opened.session, self.controls)
        except BaseException:
            channel.close_session(opened.session)
            raise
        return opened


def _set_format(channel: Channel, session: int, order: EncoderOrder, wish: video.PictureFormat) -> video.PictureFormat:
    try:
        return channel.call(video.FormatSet(wish), video.FormatSetReply, "setting the format", session).format
    except LocalProtocolError as error:
        size = f"{wish.width}x{wish.height}"
        kind = order.settings.get("pixel_format", "yuv420p")
        raise MediaError(f"the {order.codec} encoder takes no {kind} of {size}") from error


@contextmanager
def _opened(channel: Channel, facts: DeviceFacts, codec: str, direction: str, *, low_delay: bool) -> Iterator[int]:
    """A session's number; the session is closed again when its setting up fails."""
    session = _open(channel, facts, codec, direction, low_delay=low_delay)
    try:
        yield session
    except BaseException:
        channel.close_session(session)
        raise


def _open(channel: Channel, facts: DeviceFacts, codec: str, direction: str, *, low_delay: bool) -> int:
    """Opens first and asks for the device's capabilities only when that fails: opening shall be fast."""
    if codec.upper() not in video.Codec.__members__:
        require(channel, facts, codec, direction)
    flags = video.OpenFlag.LOW_DELAY if low_delay else video.OpenFlag(0)
    request = video.Open(facts.number, video.Codec[codec.upper()], video.Direction[direction.upper()], flags)
    try:
        return channel.call(request, video.OpenReply, f"opening {facts.name} to {direction} {codec}").session
    except (DriverError, LocalProtocolError):
        require(channel, facts, codec, direction)
        raise


def _set_controls(channel: Channel, session: int, controls: Mapping[str, int]) -> None:
    """Sets each of them."""
    for name, value in controls.items():
        request = video.ControlSet(control_number(name), value)
        channel.call(request, video.ControlSetReply, f"setting {name} to {value}", session)


def _copy_out(address: int, length: int) -> bytes:
    """Octets of this process's memory."""
    return bytes(ffi.buffer(ffi.cast("uint8_t *", address), length))
