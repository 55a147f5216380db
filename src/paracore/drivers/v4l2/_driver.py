# SPDX-License-Identifier: Apache-2.0
"""The device: what the nodes of this machine can do."""

from __future__ import annotations

import errno
import glob
import os
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError
from paracore.classes.video import CapabilityFlag, CapabilityQueryReply, Codec, Control, Direction, Error, OpenFlag
from paracore.drivers import CallFailed, Driver
from paracore.drivers.v4l2._buffers import reads_read_only
from paracore.drivers.v4l2._decoder import Decoder
from paracore.drivers.v4l2._encoder import CONTROLS, Encoder
from paracore.drivers.v4l2._formats import CODECS, PIXELS, layout_of
from paracore.drivers.v4l2._node import KERNEL, Node
from paracore.drivers.v4l2._uapi import FormatFlag, Request
from paracore.protocol import DIMENSION_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.drivers.v4l2._node import Calls, Description, Side
    from paracore.drivers.v4l2._session import Session

__all__ = ["NODES", "V4l2Driver", "examine"]

NODES = "/dev/video*"
"""Where nodes are looked for."""
SYSFS = "/sys/class/video4linux"
"""Where the kernel tells of them."""
LIKELY = (1920, 1088)
"""What units are made ready for: a node reckons the size of their buffers from it."""
SMALL = (640, 480)
"""For a trial."""
GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)
FULL = (errno.EBUSY, errno.ENOSPC, errno.EMFILE)


class Way(NamedTuple):
    """A codec and direction, and the node that has it."""

    path: str
    fourcc: int
    can: CapabilityQueryReply


class V4l2Driver(Driver):
    """See the package.

    Args:
        name: of the device.
        path: a pattern of its nodes (some hardware has one for each direction); by default all that are codecs.
        in_place: False copies pictures, for a node that says it works in foreign pages and does not.
        calls: the kernel.

    Raises:
        ConfigError: no node can be used, and why.
    """

    carries = False
    """A node's codec is set right by closing it, and what a file had been given goes with it."""

    requests = tuple(Request)

    def __init__(self, name: str, *, path: str = NODES, in_place: bool = True, calls: Calls = KERNEL) -> None:
        self.name = name
        self._in_place = in_place
        self._calls = calls
        self.open_node = calls.open
        found, faults = examine(path, in_place=in_place, calls=calls)
        if not found:
            raise ConfigError(f"device.{name}.options.path", _remedy(path, faults))
        self._ways = {(way.can.codec, way.can.direction): way for way in reversed(found)}
        self.nodes = tuple(sorted({way.path for way in self._ways.values()}))
        self.kernel_devices = tuple(f"{SYSFS}/{os.path.basename(node)}/device" for node in self.nodes)  # noqa: PTH119

    def capabilities(self) -> list[CapabilityQueryReply]:
        """What the nodes said when the device was made."""
        return [self._ways[key].can for key in sorted(self._ways)]

    def open(self, codec: Codec, direction: Direction, flags: OpenFlag) -> Session:
        """A session with an open file of its own."""
        way = self._ways.get((codec, direction))
        if way is None:
            raise CallFailed(Error.NOT_SUPPORTED)
        try:
            return self._opened(way)
        except OSError as error:
            raise CallFailed(_error(error)) from error

    def _opened(self, way: Way) -> Session:
        node = Node(self.open_node(way.path), self._calls)
        largest = (way.can.width_max, way.can.height_max)
        session: Session
        if way.can.direction is Direction.DECODE:
            hint = (min(largest[0], LIKELY[0]), min(largest[1], LIKELY[1]))
            session = Decoder(node, way.fourcc, hint, in_place=self._in_place)
        else:
            session = Encoder(node, way.fourcc, largest, in_place=self._in_place)
        try:
            session.begin()
        except BaseException:
            session.close()
            raise
        return session


def _error(error: OSError) -> Error:
    if error.errno in GONE:
        return Error.NO_DEVICE
    if error.errno in FULL:
        return Error.BUSY
    return Error.NO_MEMORY if error.errno == errno.ENOMEM else Error.IO


# --- what there is -----------------------------------------------------------------------------------------


def examine(path: str = NODES, *, in_place: bool = True, calls: Calls = KERNEL) -> tuple[list[Way], dict[str, str]]:
    """The codecs of the nodes that match, and why the other nodes are of no use."""
    found: list[Way] = []
    faults: dict[str, str] = {}
    for each in sorted(glob.glob(path)):  # noqa: PTH207 - a pattern from the root on
        try:
            node = Node(calls.open(each), calls)
        except OSError as error:
            faults[each] = error.strerror or str(error)
            continue
        try:
            ways = list(_ways(each, node, in_place=in_place)) if node.is_codec else []
        except OSError as error:
            ways, faults[each] = [], error.strerror or str(error)
        finally:
            node.close()
        found += ways
        if not ways:
            faults.setdefault(each, f"{node.card} is no codec that is known here")
    return found, faults


def _ways(path: str, node: Node, *, in_place: bool) -> Iterator[Way]:
    both = ((node.output, node.capture, Direction.DECODE), (node.capture, node.output, Direction.ENCODE))
    for coded, raw, direction in both:
        for each in node.formats(coded):
            if each.fourcc not in CODECS:
                continue
            node.coded_set(coded, each.fourcc, *LIKELY, 0)
            pixels = [form.fourcc for form in node.formats(raw) if form.fourcc in PIXELS]
            if pixels:
                flags = _copies(node, raw, direction, pixels[0]) if in_place else CapabilityFlag(0)
                yield Way(path, each.fourcc, _capability(node, each, direction, pixels, flags))


def _capability(
    node: Node, coded: Description, direction: Direction, pixels: list[int], flags: CapabilityFlag
) -> CapabilityQueryReply:
    width, height = node.largest(coded.fourcc) or (DIMENSION_MAX, DIMENSION_MAX)
    controls = [
        control for control, known in CONTROLS.items() if direction is Direction.ENCODE and all(map(node.has, known))
    ]
    if coded.flags & FormatFlag.DYN_RESOLUTION:
        flags |= CapabilityFlag.DYNAMIC_RESOLUTION
    if Control.BITRATE in controls:
        flags |= CapabilityFlag.BITRATE_CHANGE
    return CapabilityQueryReply(
        CODECS[coded.fourcc],
        direction,
        flags,
        min(width, DIMENSION_MAX),
        min(height, DIMENSION_MAX),
        sum({1 << PIXELS[form].format for form in pixels}),
        sum(1 << control for control in controls),
    )


def _copies(node: Node, side: Side, direction: Direction, pixels: int) -> CapabilityFlag:
    """Whether pictures need not be copied, and on what condition."""
    if not node.takes_pages(side):
        return CapabilityFlag(0)
    if direction is Direction.DECODE:
        return CapabilityFlag.ZERO_COPY
    raw = node.raw_set(side, pixels, *SMALL, (0, 0, 0, 0))
    pieces = layout_of(raw, (0, 0, raw.width, raw.height), 1, (0, 1)).pieces
    reads = reads_read_only(node, side, pieces)
    return CapabilityFlag.ZERO_COPY | (CapabilityFlag(0) if reads else CapabilityFlag.WRITABLE_INPUT)


def _remedy(path: str, faults: dict[str, str]) -> str:
    """What to do, from what was found."""
    if not faults:
        return f"no node matches {path}; load the codec's kernel module, or give its node"
    told = "; ".join(f"{each}: {why}" for each, why in faults.items())
    if any(why == os.strerror(errno.EACCES) for why in faults.values()):
        return f"{told}; run the backend as root, or add its user to the nodes' group (video)"
    return f"{told}; give the node of a codec"
