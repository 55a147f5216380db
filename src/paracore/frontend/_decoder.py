# SPDX-License-Identifier: Apache-2.0
"""A decoder: access units in, pictures out, each in the domain's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore._errors import StateError
from paracore.frontend._decoding import Decoding
from paracore.frontend._faults import FATAL
from paracore.frontend._picture import Format
from paracore.frontend._running import Running, deadline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paracore.frontend._buffers import Region
    from paracore.frontend._packet import Packet
    from paracore.frontend._picture import Picture

__all__ = ["Decoder"]


class Decoder(Running[Decoding]):
    """A decoding session: a context manager.

    Two styles. ``for picture in decoder.decode(packets)`` does everything. Or step by step: ``send`` packets and
    ``receive`` pictures in between, ``drain`` at the end and ``receive`` until None.
    """

    def decode(self, packets: Iterable[Packet]) -> Iterator[Picture]:
        """Decodes a whole stream, up to its last picture; may be used again for the next.

        Raises:
            QuotaExceeded: so many pictures are held that a limit of the domain stops the device.
            DeviceTimeout: the device hung at a unit; another decoder may be opened at once.
            DeviceLost: the worker died, and the stream could not be taken up again with another.
        """
        state = self._state
        pictures = state.pictures
        for packet in packets:
            while not self._accept(packet):
                if not pictures:
                    self._wait(None)
                while pictures:
                    yield pictures.popleft()
            if state.needy:  # otherwise the device sees it at the wait that will follow soon
                self._look()
            while pictures:
                yield pictures.popleft()
        self.drain()
        while (picture := self.receive()) is not None:
            yield picture

    def send(self, packet: Packet, timeout: float | None = None) -> None:
        """Gives the device one access unit; waits while it has enough of them.

        Raises:
            TimeoutError: the device took none in time.
            StateError: pictures wait to be received, and the device cannot go on before they are.
        """
        deadline = deadline_of(timeout)
        while not self._accept(packet):
            if self._state.blocked:
                raise StateError("full of pictures", "relieved of some by receive()")
            if not self._wait(deadline):
                raise TimeoutError("the decoder takes no more packets now")
        self._serve()

    def _accept(self, packet: Packet) -> bool:
        """Takes a packet, to be given to the device by ``_serve``; False while there is no room for it."""
        state = self._state
        state.check()
        try:
            if state.behind:
                self._catch_up()
                if state.behind:
                    return False
            octets = state.octets_of(packet)
            region = self._room(len(octets))
        except FATAL as fault:
            self._go_on(fault)
            return False
        if region is None:
            return False
        region.fill(octets)
        state.submit(region, packet)
        return True

    def _room(self, length: int) -> Region | None:
        """Room for an access unit in the arena, which is granted if there is none large enough."""
        state = self._state
        while (region := state.reserve(length)) is None:
            request = state.arena_request(length)
            if request is None:
                return None
            self._grant(request)
            state.check()
        return region

    def _catch_up(self) -> None:
        state = self._state
        while (octets := state.octets_due()) is not None:
            region = self._room(len(octets))
            if region is None:
                return
            region.fill(octets)
            state.submit_again(region)

    def receive(self, timeout: float | None = None) -> Picture | None:
        """The next picture in the order of showing.

        Without a time-out this waits until there is one or a drain is complete: a decoder that has been given
        too little to make a picture of, and is not drained, would wait for ever.

        Returns:
            None when the time is over, or ``drained``.
        """
        state, deadline = self._state, deadline_of(timeout)
        self._check_open()
        while not state.pictures:
            if state.drained:
                return None
            if not self._wait(deadline) and not state.pictures:
                return None
        return state.pictures.popleft()

    @property
    def format(self) -> Format | None:
        """What the stream looks like at its head; None before the decoder has met its first format."""
        return Format.of_wire(self._state.seen) if self._state.seen else None

    @property
    def refused(self) -> int:
        """Access units of which the codec could make nothing."""
        return self._state.refused
