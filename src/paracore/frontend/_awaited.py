# SPDX-License-Identifier: Apache-2.0
"""Pictures given to an encoder's device of which no access unit has come, sans-I/O: what another device would be given.

An access unit is known for its picture's by the timestamp, so those have to differ; they are the caller's on the wire, too,
since codecs plan with them. Nobody is trusted with anything here: a timestamp that no picture has is of no consequence.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from paracore.frontend._picture import WritablePicture

if TYPE_CHECKING:
    from paracore.classes import video
    from paracore.frontend._buffers import Lease
    from paracore.frontend._packet import EncodedPacket
    from paracore.frontend._picture import Plane

__all__ = ["AWAITED_MAX", "Awaited", "Sent"]

#: Pictures that are remembered. No codec looks so far ahead: the oldest are of one that leaves pictures out.
AWAITED_MAX = 1024


class Sent:
    """A picture that was given to the device.

    Attributes:
        lease: its pages, until the codec is done with them.
        form: their layout.
        number: its place among those given.
    """

    __slots__ = ("duration", "form", "key", "lease", "number", "serial", "timestamp")

    def __init__(self, lease: Lease, form: video.PictureFormat, timestamp: int, duration: int, *, key: bool) -> None:
        self.lease: Lease | None = lease
        self.form = form
        self.timestamp = timestamp
        self.duration = duration
        self.key = key
        self.number = self.serial = 0

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Views of its samples."""
        assert self.lease
        return WritablePicture(self.lease, self.form).planes


class Awaited:
    """See the module.

    Attributes:
        lost: pictures that went with a device.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._pictures: dict[int, Sent] = {}
        self._due: deque[Sent] = deque()
        self._count = 0
        self._drain: int | None = None
        self._drain_due = False
        self._newest: int | None = None
        self._break: int | None = None  # pictures lost at a discontinuity that is still to be told

    # --- as the stream goes -----------------------------------------------------------------

    def append(self, sent: Sent) -> None:
        """A picture that is given to the device now."""
        sent.number = self._count
        self._count += 1
        self._pictures[sent.timestamp] = sent
        if len(self._pictures) > AWAITED_MAX:
            del self._pictures[next(iter(self._pictures))]

    def received(self, packet: EncodedPacket) -> EncodedPacket:
        """An access unit has come; it tells of a discontinuity before it."""
        if packet.timestamp is not None:
            self._pictures.pop(packet.timestamp, None)
            self._newest = packet.timestamp if self._newest is None else max(self._newest, packet.timestamp)
        if self._break is None:
            return packet
        lost, self._break = self._break, None
        return packet._replace(discontinuity=True, lost=lost)

    def drain(self) -> None:
        """The stream ends here, for now."""
        self._drain_due = self.behind
        self._drain = self._count

    def drained(self) -> None:
        """All before the drain has been given out; what the codec left out of it never comes."""
        end, self._drain = self._drain or 0, None
        self._pictures = {timestamp: sent for timestamp, sent in self._pictures.items() if sent.number >= end}
        self._newest = None  # what comes next may be of another time

    def clear(self) -> None:
        """The device has forgotten all it had, and the user wants none of it."""
        self._pictures.clear()
        self._due.clear()
        self._drain = self._newest = None
        self._drain_due = False

    # --- when the device is lost --------------------------------------------------------------

    def lose(self) -> None:
        """All whose pages are still here is due again, unless something later has been given out already."""
        self._due = deque(sent for sent in self._pictures.values() if sent.lease and not self._overtaken(sent))
        gone = len(self._pictures) - len(self._due)
        self._pictures = {sent.timestamp: sent for sent in self._due}
        self.lost += gone
        self._break = gone + (self._break or 0)
        self._drain_due = self._drain is not None

    def gone(self, timestamp: int | None) -> bool:
        """Whether the picture of that time is awaited, and could not be given again."""
        sent = None if timestamp is None else self._pictures.get(timestamp)
        return sent is not None and sent.lease is None

    def _overtaken(self, sent: Sent) -> bool:
        """An access unit of a later picture has been given out: this one could only come behind it."""
        return self._newest is not None and sent.timestamp <= self._newest

    @property
    def behind(self) -> bool:
        """Something is due to the device that its predecessor had."""
        return bool(self._due) or self._drain_due

    @property
    def draining(self) -> bool:
        """A drain is due again, or will be."""
        return self._drain_due

    @property
    def drain_due(self) -> bool:
        """What is due next is the drain."""
        return self._drain_due and (not self._due or self._due[0].number >= (self._drain or 0))

    def due(self) -> Sent | None:
        """The picture that is due next."""
        return self._due[0] if self._due else None

    def given(self) -> None:
        """What was due has been given."""
        if self.drain_due:
            self._drain_due = False
        else:
            self._due.popleft()
