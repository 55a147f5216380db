# SPDX-License-Identifier: Apache-2.0
"""The calls that open a session. They wait for replies; the asynchronous API makes them on a thread."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from paracore._errors import DriverError, LocalProtocolError, MediaError
from paracore._native._frontend import ffi
from paracore.classes import video
from paracore.frontend._capability import require
from paracore.frontend._decoding import Decoding
from paracore.frontend._encoding import Encoding
from paracore.frontend._settings import EncoderSettings, control_number, controls_of, wire_format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paracore.classes import core
    from paracore.frontend._capability import DeviceFacts
    from paracore.frontend._channel import Channel

__all__ = ["open_decoding", "open_encoding"]


def open_decoding(
    channel: Channel,
    facts: DeviceFacts,
    limits: core.LimitsQueryReply,
    codec: str,
    *,
    threads: int | None,
    low_delay: bool,
) -> tuple[int, Decoding]:
    """Opens a decoder's session; returns its number and its state.

    Raises:
        MediaError: the device cannot decode that.
        QuotaExceeded: the domain has as many sessions as it may.
    """
    with _opened(channel, facts, codec, "decode", low_delay=low_delay) as session:
        if threads is not None:
            _set_controls(channel, session, {"threads": threads})
        return session, Decoding(limits.outstanding)


def open_encoding(channel: Channel, facts: DeviceFacts, codec: str, settings: EncoderSettings) -> tuple[int, Encoding]:
    """Opens an encoder's session; returns its number and its state.

    Raises:
        MediaError: the device cannot encode that, or not from such pictures.
        QuotaExceeded: the domain has as many sessions as it may.
        ValueError: a setting has no such value.
    """
    capability = require(channel, facts, codec, "encode")
    wish = wire_format_of(settings, capability)
    controls = controls_of(settings)
    lacking = sorted(set(controls) - set(capability.controls))
    if lacking:
        raise MediaError(f"the {codec} encoder has no {', '.join(lacking)}; it has {', '.join(capability.controls)}")
    with _opened(channel, facts, codec, "encode", low_delay=settings.get("low_delay", False)) as session:
        _set_controls(channel, session, controls)
        try:
            reply = channel.call(video.FormatSet(wish), video.FormatSetReply, "setting the format", session)
        except LocalProtocolError as error:
            size = f"{wish.width}x{wish.height}"
            raise MediaError(
                f"the {codec} encoder takes no {settings.get('pixel_format', 'yuv420p')} of {size}"
            ) from error
        return session, Encoding(reply.format, _copy_out, writable=capability.writable_input)


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
    for name, value in controls.items():
        request = video.ControlSet(control_number(name), value)
        channel.call(request, video.ControlSetReply, f"setting {name} to {value}", session)


def _copy_out(address: int, length: int) -> bytes:
    """Octets of this process's memory."""
    return bytes(ffi.buffer(ffi.cast("uint8_t *", address), length))
