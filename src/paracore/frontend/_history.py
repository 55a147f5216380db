# SPDX-License-Identifier: Apache-2.0
"""What a decoder would have to be given again if its device were lost now, sans-I/O.

Theory of operation
-------------------
Each access unit gets a number, in the order of decoding, which goes over the wire in the place of its timestamp: codecs
copy it to the unit's pictures, so that each picture says which unit it is of, also where timestamps are absent or come
twice. The user's own is put back here.

Units are kept from an *access point* on: a unit at which a new decoder can begin and will make the same pictures of it and
of all that follow, but for some that have been given out already. It is the newest unit K of which all of this is true:

* its picture has come, and the device calls it a key picture (a container's flag would not do: those of H.264 flag the
  starts of gradual refreshes, too, at which nothing can begin);
* a picture has come of a unit that *trails* K: comes later in decoding and in showing. Pictures come in the order of
  showing, so K's leading pictures, which need what was before K, have come by then, and if they came in the order
  of decoding that is true as well, since leading units stand before trailing ones;
* every unit before K has given its picture, or was refused, or would have been shown before that trailing one.

Before the access point only the parameter sets are remembered. When the device is lost, all units from the access point on
are given again; the pictures that had come from them come again, are counted off and dropped: each is delivered once.

A drain is an access point as well, once it is complete, and so is a flush: the codec forgets its references there.

Nobody is trusted with anything here: a device that lies about its pictures could have lied in their samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.frontend._parameters import ParameterSets
from paracore.frontend._shelf import Shelf

if TYPE_CHECKING:
    from paracore.frontend._packet import Packet

__all__ = ["OCTETS_MAX", "UNITS_MAX", "History", "Unit"]

#: Octets kept of a stream: ten seconds at 50 Mb/s. A stream that has no access point for so long (or one of gradual
#: refreshes, which has none) cannot be taken up again while that lasts: its loss is the user's to know.
OCTETS_MAX = 64 << 20
#: Units kept: two minutes at 60 pictures a second, whatever their size.
UNITS_MAX = 1 << 13

_NOTHING = memoryview(b"")


class Unit:
    """An access unit.

    Attributes:
        number: its place in the order of decoding.
        data: its octets; empty once they are forgotten.
        timestamp: the user's.
        duration: likewise.
        discard: its picture is not to be delivered.
        given: pictures that have come of it.
        again: how many of those are still to come again.
        refused: the codec could make nothing of it.
    """

    __slots__ = ("again", "data", "discard", "duration", "given", "number", "refused", "timestamp")

    def __init__(self, number: int, data: memoryview, timestamp: int | None, duration: int, *, discard: bool) -> None:
        self.number = number
        self.data = data
        self.timestamp = timestamp
        self.duration = duration
        self.discard = discard
        self.given = 0
        self.again = 0
        self.refused = False

    def shown_before(self, other: Unit) -> bool | None:
        """Whether its picture is earlier; None when their timestamps do not say."""
        if self.timestamp is None or other.timestamp is None:
            return None
        return self.timestamp < other.timestamp


class History:
    """The units of one decoder since its last access point.

    Args:
        codec: by its name.
        octets_max: of units that are kept.
        units_max: of them.
    """

    def __init__(self, codec: str, *, octets_max: int = OCTETS_MAX, units_max: int = UNITS_MAX) -> None:
        self._octets_max = octets_max
        self._units_max = units_max
        self._parameters = ParameterSets(codec)
        self._shelf = Shelf()
        self._units: list[Unit] = []
        self._past: list[Unit] = []
        self._octets = 0
        self._base = 0
        self._kept = 0  # the first unit whose octets are kept
        self._next = 0  # the next unit that is due to the device
        self._keys: list[int] = []
        self._drain: int | None = None
        self._drain_due = False
        self._untold = False
        self._untaught = False  # a successor, of which no picture has come yet: it may lack the parameter sets

    # --- as the stream goes -----------------------------------------------------------------

    def append(self, packet: Packet) -> Unit:
        """A unit that is given to the device now."""
        octets = self._shelf.put(packet.data)
        number = self._base + len(self._units)
        unit = Unit(number, octets, packet.timestamp, packet.duration, discard=packet.discard)
        self._units.append(unit)
        self._next = number + 1
        self._octets += len(octets)
        if self._octets > self._octets_max or number - self._kept >= self._units_max:
            self._shorten()
        return unit

    def picture(self, number: int, *, key: bool) -> Unit | None:
        """A picture has come.

        Args:
            number: what the device says in the place of its timestamp.
            key: the device calls it a key picture.

        Returns:
            The unit that it is of; None when it is not to be delivered: it has been, or shall not be.
        """
        self._untaught = False
        unit = self._unit(number)
        if unit is None:
            self._untold = True  # this device does not say which unit a picture is of: nothing can be counted off
            return Unit(number, _NOTHING, None, 0, discard=False)
        if unit.again:
            unit.again -= 1
            deliver = False
        else:
            unit.given += 1
            deliver = not unit.discard
        if key and number > self._base and (not self._keys or number > self._keys[-1]):
            self._keys.append(number)
        if self._keys:
            self._advance(unit)
        return unit if deliver else None

    def drain(self) -> None:
        """The stream ends here, for now."""
        self._drain = self._base + len(self._units)
        self._drain_due = self.behind

    def drained(self) -> None:
        """All before the drain has been given out."""
        if self._drain is not None and not self._drain_due:
            self._cut(self._drain)
            self._drain = None

    def clear(self) -> None:
        """The device has forgotten all it had, and the user wants none of it."""
        self._cut(self._base + len(self._units))
        self._next = self._base
        self._drain = None
        self._drain_due = False

    # --- when the device is lost --------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """All is there to take the stream up again."""
        return self._kept == self._base and not self._untold

    def lose(self) -> None:
        """A new device knows nothing: all from the access point on is due again."""
        self._next = self._base
        self._untaught = True
        self._keys.clear()
        self._drain_due = self._drain is not None
        for unit in self._units:
            unit.again = unit.given

    @property
    def behind(self) -> bool:
        """Something is due to the device that it had been given before."""
        return self._next < self._base + len(self._units) or self._drain_due

    @property
    def drain_due(self) -> bool:
        """What is due next is the drain."""
        return self._drain_due and self._next == self._drain

    @property
    def draining(self) -> bool:
        """A drain is due again, or will be."""
        return self._drain_due

    def due(self) -> Unit | None:
        """The unit that is due next."""
        position = self._next - self._base
        return self._units[position] if position < len(self._units) else None

    def octets_due(self) -> bytes | memoryview:
        """What is to be given for it: the first unit after a loss brings the stream's parameter sets."""
        unit = self._units[self._next - self._base]
        return bytes(self._parameters) + unit.data if self._next == self._base else unit.data

    def octets_of(self, data: memoryview) -> bytes | memoryview:
        """What is to be given for a unit that is appended next: a device may be lost while nothing is due to it."""
        return bytes(self._parameters) + data if self._untaught and self._next == self._base else data

    def given(self) -> None:
        """What was due has been given."""
        if self.drain_due:
            self._drain_due = False
        else:
            self._next += 1

    # --- access points ------------------------------------------------------------------------

    def _unit(self, number: int) -> Unit | None:
        position = number - self._base
        if 0 <= position < self._next - self._base:
            return self._units[position]
        position += len(self._past)  # one that comes in spite of all: its time is still known
        return self._past[position] if 0 <= position < len(self._past) else None

    def _advance(self, shown: Unit) -> None:
        """Forgets what is not needed any more, now that this unit's picture has come."""
        keys = self._keys
        while keys and keys[0] < shown.number:
            key = self._units[keys[0] - self._base]
            if shown.shown_before(key):
                return  # it leads
            del keys[0]
            if self._all_settled(key, shown):
                self._cut(key.number)

    def _all_settled(self, key: Unit, shown: Unit) -> bool:
        """Whether no picture can come any more of any unit before the key one."""
        before = self._units[: key.number - self._base]
        return all(unit.given or unit.refused or shown.shown_before(unit) is not True for unit in before)

    def _cut(self, number: int) -> None:
        """Forgets the units before that one."""
        count = number - self._base
        for unit in self._units[max(0, self._kept - self._base) : count]:
            self._forget(unit)
        self._past = self._units[:count]
        del self._units[:count]
        self._base = number
        self._kept = max(self._kept, number)
        self._keys = [key for key in self._keys if key > number]

    def _shorten(self) -> None:
        """Forgets the octets that are too many, oldest first; and units that are as old as two histories."""
        while self._octets > self._octets_max or self._base + len(self._units) - self._kept > self._units_max:
            self._forget(self._units[self._kept - self._base])
            self._kept += 1
        if len(self._units) > 2 * self._units_max:
            self._cut(self._base + self._units_max)  # no access point: what is kept begins later

    def _forget(self, unit: Unit) -> None:
        self._parameters.take(unit.data)
        self._octets -= len(unit.data)
        self._shelf.forget()
        unit.data = _NOTHING
