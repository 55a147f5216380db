# SPDX-License-Identifier: Apache-2.0
"""A device as a domain uses it: what opens decoders and encoders."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Unpack

from paracore.frontend._capability import describe, query_capabilities
from paracore.frontend._decoder import Decoder
from paracore.frontend._encoder import Encoder
from paracore.frontend._opening import DecoderOrder, EncoderOrder, Origin, open_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.classes import core
    from paracore.frontend._capability import Capability, DeviceFacts
    from paracore.frontend._channels import Channels
    from paracore.frontend._settings import EncoderSettings

__all__ = ["Device"]


class Device:
    """One coprocessor.

    Args:
        channels: to it.
        facts: what the backend says of it.
        limits: of the domain.
        opened: is told each session.

    Attributes:
        name: as the backend's configuration has it.
        driver: what executes calls to it.
    """

    def __init__(
        self,
        channels: Channels,
        facts: DeviceFacts,
        limits: core.LimitsQueryReply,
        opened: Callable[[Decoder | Encoder], None],
    ) -> None:
        self._channels = channels
        self._limits = limits
        self._opened = opened
        self.name: str = facts.name
        self.driver: str = facts.driver

    @cached_property
    def capabilities(self) -> tuple[Capability, ...]:
        """What it can do."""
        return self._channels.ask(lambda channel: query_capabilities(channel, describe(channel, self.name)))

    def decoder(
        self, codec: str, *, threads: int | None = None, low_delay: bool = False, rate: float | None = None
    ) -> Decoder:
        """Opens a decoder.

        Args:
            codec: ``"h264"``, ``"hevc"``, ``"vp8"``, ``"vp9"``, ``"av1"``, ``"mpeg2"``, ``"mpeg4"`` or ``"mjpeg"``.
            threads: of the codec; None leaves it to the device.
            low_delay: give pictures out as soon as the codec has them.
            rate: pictures a second that are to be shown: the policy `deadline` plans with it, and it is reserved of a
                device with a ``pixel_rate`` once the stream's size is known. When there is no room for it, ``pixel_rate`` is
                what the decoder fails with then.

        Raises:
            MediaError: the device cannot decode that.
            QuotaExceeded: the domain has as many sessions as it may.
        """
        channels, order = self._channels, DecoderOrder(self.name, codec, threads, low_delay, rate)
        channel, opened = channels.ask(partial(open_on, order))
        state = order.state(opened, self._limits, recovers=channels.recovers)
        decoder = Decoder(Origin(channels, order), channel, opened.session, state)
        self._opened(decoder)
        return decoder

    def encoder(self, codec: str, **settings: Unpack[EncoderSettings]) -> Encoder:
        """Opens an encoder.

        Args:
            codec: ``"h264"``, ``"hevc"``, ``"vp9"``, ``"av1"`` or ``"mjpeg"``.
            **settings: ``width`` and ``height`` at least; see ``EncoderSettings``.

        Raises:
            MediaError: the device cannot encode that, or not from such pictures.
            QuotaExceeded: the domain has as many sessions as it may.
            ValueError: a setting has no such value.
        """
        channels, order = self._channels, EncoderOrder(self.name, codec, settings)
        channel, opened = channels.ask(partial(open_on, order))
        state = order.state(opened, recovers=channels.recovers)
        encoder = Encoder(Origin(channels, order), channel, opened.session, state)
        self._opened(encoder)
        return encoder

    def __repr__(self) -> str:
        return f"<Device {self.name} ({self.driver})>"
