# SPDX-License-Identifier: Apache-2.0
"""A device as a domain uses it: what opens decoders and encoders."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from paracore.frontend._capability import query_capabilities
from paracore.frontend._decoder import Decoder
from paracore.frontend._encoder import Encoder
from paracore.frontend._opening import open_decoding, open_encoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.classes import core
    from paracore.frontend._capability import Capability, DeviceFacts
    from paracore.frontend._channel import Channel
    from paracore.frontend._settings import EncoderSettings

__all__ = ["Device"]


class Device:
    """One coprocessor.

    Args:
        channel: to it.
        facts: what the backend says of it.
        limits: of the domain.
        opened: is told each session.

    Attributes:
        name: as the backend's configuration has it.
        driver: what executes calls to it.
    """

    def __init__(
        self,
        channel: Channel,
        facts: DeviceFacts,
        limits: core.LimitsQueryReply,
        opened: Callable[[Decoder | Encoder], None],
    ) -> None:
        self._channel = channel
        self._facts = facts
        self._limits = limits
        self._opened = opened
        self.name: str = facts.name
        self.driver: str = facts.driver

    @cached_property
    def capabilities(self) -> tuple[Capability, ...]:
        """What it can do."""
        return query_capabilities(self._channel, self._facts)

    def decoder(self, codec: str, *, threads: int | None = None, low_delay: bool = False) -> Decoder:
        """Opens a decoder.

        Args:
            codec: ``"h264"``, ``"hevc"``, ``"vp8"``, ``"vp9"``, ``"av1"``, ``"mpeg2"``, ``"mpeg4"`` or ``"mjpeg"``.
            threads: of the codec; None leaves it to the device.
            low_delay: give pictures out as soon as the codec has them.

        Raises:
            MediaError: the device cannot decode that.
            QuotaExceeded: the domain has as many sessions as it may.
        """
        channel = self._channel
        session, state = open_decoding(channel, self._facts, self._limits, codec, threads=threads, low_delay=low_delay)
        decoder = Decoder(channel, session, state)
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
        session, state = open_encoding(self._channel, self._facts, codec, settings)
        encoder = Encoder(self._channel, session, state)
        self._opened(encoder)
        return encoder

    def __repr__(self) -> str:
        return f"<Device {self.name} ({self.driver})>"
