# SPDX-License-Identifier: Apache-2.0
"""Streams that are nothing but their structure, and a decoder that knows nothing else."""

from typing import NamedTuple

from hypothesis import strategies

from paracore import Packet


class Coded(NamedTuple):
    """A unit: what its pictures need, and when they are shown."""

    index: int
    shown: int
    key: bool
    needs: tuple[int, ...]
    pictures: int = 1
    drain: bool = False
    """The stream has an end before it."""

    def packet(self, timestamp):
        return Packet(self.index.to_bytes(4, "big"), timestamp, 1, self.key)


class Builder:
    def __init__(self):
        self.units = []
        self.clock = 0

    def add(self, shown, needs, **facts):
        unit = Coded(len(self.units), shown, facts.pop("key", False), tuple(needs), **facts)
        self.units.append(unit)
        return unit.index

    def group(self, leading, bidirectional, *, drain, silent):
        """A group of pictures: a key one with its leading ones, then anchors with those between them."""
        before = [] if drain or not self.units else [self.anchor]
        leading = leading if before else 0
        key = self.add(self.clock + leading, (), key=True, drain=drain and bool(self.units))
        for number in range(leading):
            self.add(self.clock + number, [*before, key])
        self.clock += leading + 1
        self.anchor = key
        for between in bidirectional:
            anchor = self.add(self.clock + between, [self.anchor])
            if silent:
                self.add(self.clock + between, [anchor], pictures=0)  # such as a second field
            for number in range(between):
                self.add(self.clock + number, [self.anchor, anchor])
            self.clock += between + 1
            self.anchor = anchor


@strategies.composite
def streams(draw):
    """Groups of pictures with reordering, open and closed, with ends between some."""
    builder = Builder()
    for _ in range(draw(strategies.integers(1, 5))):
        builder.group(
            draw(strategies.integers(0, 3)),
            draw(strategies.lists(strategies.integers(0, 3), max_size=4)),
            drain=draw(strategies.booleans()) and draw(strategies.booleans()),
            silent=draw(strategies.integers(0, 3)) == 0,
        )
    return builder.units


class Model:
    """A decoder: gives pictures in the order of showing, or at once if it reorders nothing."""

    def __init__(self, stream, *, reorder=True, skips=False):
        self.stream = stream
        self.reorder = reorder
        self.skips = skips
        self.decoded = set()
        self.held = []

    def give(self, octets, number):
        """Decodes one unit; returns what comes out: the number that came with it, key, and what it shows."""
        unit = self.stream[int.from_bytes(octets[-4:], "big")]
        whole = self.decoded.issuperset(unit.needs)
        if whole:
            self.decoded.add(unit.index)
        if whole or not self.skips:
            shows = unit.index if whole else f"damaged {unit.index}"
            self.held += [(unit.shown, number, unit.key, shows)] * unit.pictures
        if not self.reorder:
            return self._out(0)
        self.held.sort(key=lambda held: held[0])
        return self._out(4)

    def drain(self):
        self.decoded.clear()
        return self._out(0)

    def _out(self, kept):
        count = max(0, len(self.held) - kept)
        given, self.held = self.held[:count], self.held[count:]
        return [held[1:] for held in given]
