# SPDX-License-Identifier: Apache-2.0
"""An encoder: pictures in, read from where they were drawn, access units out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from paracore.frontend._encoding import Encoding
from paracore.frontend._picture import Picture, Plane, WritablePicture
from paracore.frontend._running import Running, deadline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from paracore.frontend._packet import EncodedPacket

__all__ = ["Drawn", "Encoder", "copy_planes", "give_again"]

Drawn: TypeAlias = "WritablePicture | Picture | Sequence[Plane]"


class Encoder(Running[Encoding]):
    """An encoding session: a context manager.

    Two styles. ``for packet in encoder.encode(pictures)`` does everything. Or step by step: fill a ``picture()``,
    ``send`` it and ``receive`` packets in between, ``drain`` at the end and ``receive`` until None.
    """

    def encode(self, pictures: Iterable[Drawn]) -> Iterator[EncodedPacket]:
        """Encodes a whole stream, up to its last packet; may be used again for the next.

        Args:
            pictures: each either one of ``picture()``, filled, or a decoded picture or planes, which are copied.
        """
        packets = self._state.packets
        for picture in pictures:
            while not self._try_send(picture):
                self._wait(None)
                while packets:
                    yield packets.popleft()
            self._look()
            while packets:
                yield packets.popleft()
        self.drain()
        while (packet := self.receive()) is not None:
            yield packet

    def picture(self, timeout: float | None = None) -> WritablePicture:
        """An empty picture to fill, in pages from which the device will read it.

        Raises:
            TimeoutError: all of them are with the device, and none came back in time.
        """
        deadline = deadline_of(timeout)
        while (picture := self._state.picture()) is None:
            if not self._wait(deadline):
                raise TimeoutError("the encoder has no empty picture now")
        return picture

    def send(self, picture: Drawn, timeout: float | None = None) -> None:
        """Gives the device one picture; one that is not of ``picture()`` is copied first.

        Raises:
            TimeoutError: there was no room for the copy in time.
            ValueError: its size or format is not the encoder's.
            StateError: it has been sent before.
        """
        deadline = deadline_of(timeout)
        while not self._try_send(picture):
            if not self._wait(deadline):
                raise TimeoutError("the encoder takes no more pictures now")

    def _try_send(self, picture: Drawn) -> bool:
        self._check_open()
        state = self._state
        state.check()
        if state.behind:
            self._catch_up()
            if state.behind:
                return False
        if (target := in_own_pages(state, picture)) is None:
            return False
        state.submit(target)
        self._serve()
        return True

    def _catch_up(self) -> None:
        give_again(self._state)

    def receive(self, timeout: float | None = None) -> EncodedPacket | None:
        """The next access unit in decoding order.

        Returns:
            None when the time is over, or ``drained``.
        """
        state, deadline = self._state, deadline_of(timeout)
        self._check_open()
        while not state.packets:
            if state.drained:
                return None
            if not self._wait(deadline) and not state.packets:
                return None
        return state.packets.popleft()

    @property
    def lost(self) -> int:
        """Pictures of which there is no access unit because the device that had taken them was lost."""
        return self._state.lost

    def set_bitrate(self, bits_per_second: int) -> int:
        """Changes the bit rate, also in mid-stream; returns what the device made of it."""
        return self.control("bitrate", bits_per_second)


def in_own_pages(state: Encoding, picture: Drawn) -> WritablePicture | None:
    """The picture itself if it lies in pages of the present device, else a copy that does; None: there are none free."""
    if isinstance(picture, WritablePicture) and not state.is_stale(picture):
        return picture
    target = state.picture()
    if target is not None:
        copy_planes(picture, target)
    return target


def give_again(state: Encoding) -> None:
    """Copies what is due to a device into pages of its own, as far as there are some."""
    while (sent := state.due()) is not None and (target := state.picture()) is not None:
        copy_planes(sent.planes, target)
        state.submit_again(target)


def copy_planes(source: Drawn, target: WritablePicture) -> None:
    """Copies samples, and what a picture says about its time.

    Raises:
        ValueError: they do not fit.
        StateError: the source has been released, or sent.
    """
    planes = source.planes if isinstance(source, Picture | WritablePicture) else tuple(source)
    if isinstance(source, Picture | WritablePicture):
        target.timestamp, target.duration = source.timestamp, source.duration
    found, wanted = [plane.shape for plane in planes], [plane.shape for plane in target.planes]
    if found != wanted or any(plane.dtype != other.dtype for plane, other in zip(planes, target.planes, strict=True)):
        raise ValueError(f"planes of {found} where the encoder takes {target.pixel_format} planes of {wanted}")
    for plane, other in zip(planes, target.planes, strict=True):
        other[...] = plane
    if isinstance(source, WritablePicture):
        target.key = source.key
        source.take()
