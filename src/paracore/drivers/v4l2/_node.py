# SPDX-License-Identifier: Apache-2.0
"""One open file of a V4L2 node: each method is a request, and the two flavours of its structures end here.

A file is a codec instance of its own. A node speaks either the single-planar or the multi-planar API; a
*memory plane* is what it wants as a piece of memory of its own, most often all planes of a picture
together. ``Calls`` can be others than the kernel's: the tests have a codec of their own behind them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from collections.abc import Callable  # noqa: TC003 - a field of a NamedTuple
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from paracore.drivers.v4l2._uapi import (
    BUFFERS_MAX,
    PLANES_MAX,
    Buffer,
    BufferCapability,
    BufferFlag,
    Capability,
    CodecCommand,
    Command,
    Control,
    ControlFlag,
    ControlId,
    ControlQuery,
    CreateBuffers,
    Event,
    EventSubscription,
    EventType,
    Format,
    FormatDescription,
    FormatFlag,
    FrameSize,
    FrameSizeType,
    Memory,
    NodeCapability,
    Plane,
    QueueType,
    Request,
    RequestBuffers,
    Selection,
    StreamParameters,
    Target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["KERNEL", "Calls", "CodedFormat", "Dequeued", "Description", "Node", "RawFormat", "Side", "read_only_pages"]

_MILLION = 1_000_000
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def _map(descriptor: int, offset: int, length: int, access: int = mmap.PROT_READ | mmap.PROT_WRITE) -> int:
    """Not ``mmap.mmap``, which duplicates the descriptor: the worker's filter refuses that."""
    address: int = _libc.mmap(None, length, access, mmap.MAP_SHARED, descriptor, offset)
    if address == _FAILED:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return address


def _unmap(address: int, length: int) -> None:
    _libc.munmap(address, length)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class Calls(NamedTuple):
    """The system calls of a node."""

    open: Callable[[str], int] = _open
    ioctl: Callable[[int, int, Any], int] = fcntl.ioctl
    map: Callable[[int, int, int], int] = _map
    unmap: Callable[[int, int], None] = _unmap


KERNEL = Calls()


class Side(NamedTuple):
    """One queue of a node."""

    type: QueueType
    planar: bool
    """Whether its structures are those of the multi-planar API."""


class Description(NamedTuple):
    """A format that a side can have."""

    fourcc: int
    flags: FormatFlag


class CodedFormat(NamedTuple):
    """The format of a side that carries a bit stream."""

    fourcc: int
    size: int


class RawFormat(NamedTuple):
    """The format of a side that carries pictures; ``planes`` are memory planes, each (size, stride)."""

    fourcc: int
    width: int
    height: int
    planes: tuple[tuple[int, int], ...]
    colour: tuple[int, int, int, int]
    """Colour space, transfer function, encoding, quantization: the kernel's numbers."""
    field: int


class Dequeued(NamedTuple):
    """A buffer that came back."""

    number: int
    octets: int
    flags: BufferFlag
    tag: int


class Node:
    """See the module. Owns the descriptor.

    Raises:
        OSError: of any method: what the kernel said.
    """

    def __init__(self, descriptor: int, calls: Calls = KERNEL) -> None:
        self._descriptor = descriptor
        self._calls = calls
        capability = Capability()
        self._request(Request.QUERYCAP, capability)
        able = capability.device_caps if capability.capabilities & NodeCapability.DEVICE_CAPS else 0
        able = NodeCapability(able or capability.capabilities)
        self.card: str = capability.card.decode(errors="replace")
        self.is_codec = bool(able & (NodeCapability.VIDEO_M2M | NodeCapability.VIDEO_M2M_MPLANE))
        planar = bool(able & NodeCapability.VIDEO_M2M_MPLANE)
        self.output = Side(QueueType.VIDEO_OUTPUT_MPLANE if planar else QueueType.VIDEO_OUTPUT, planar)
        self.capture = Side(QueueType.VIDEO_CAPTURE_MPLANE if planar else QueueType.VIDEO_CAPTURE, planar)

    def fileno(self) -> int:
        """The descriptor, -1 once it is closed."""
        return self._descriptor

    def close(self) -> None:
        """Ends the codec instance: nothing of it is touched any more. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _request(self, request: Request, argument: Any) -> None:
        self._calls.ioctl(self._descriptor, request, argument)

    # --- formats ----------------------------------------------------------------------------------

    def formats(self, side: Side) -> Iterator[Description]:
        """What the side can carry, given what the other one is set to."""
        for index in range(1000):
            description = FormatDescription(index=index, type=side.type)
            try:
                self._request(Request.ENUM_FMT, description)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return
                raise
            yield Description(description.pixelformat, FormatFlag(description.flags))

    def largest(self, fourcc: int) -> tuple[int, int] | None:
        """The largest width and height of a format, each for itself; None when the node does not say."""
        widths, heights = [], []
        for index in range(1000):
            size = FrameSize(index=index, pixel_format=fourcc)
            try:
                self._request(Request.ENUM_FRAMESIZES, size)
            except OSError:
                break
            discrete = size.type == FrameSizeType.DISCRETE
            widths.append(size.discrete.width if discrete else size.stepwise.max_width)
            heights.append(size.discrete.height if discrete else size.stepwise.max_height)
            if not discrete:
                break
        return (max(widths), max(heights)) if widths else None

    def coded_set(self, side: Side, fourcc: int, width: int, height: int, size: int) -> CodedFormat:
        """Sets what a bit stream is; `size` is wished for its buffers, width and height are a hint."""
        wanted = Format(type=side.type)
        part = wanted.fmt.pix_mp if side.planar else wanted.fmt.pix
        part.width, part.height, part.pixelformat = width, height, fourcc
        if side.planar:
            part.num_planes = 1
            part.plane_fmt[0].sizeimage = size
        else:
            part.sizeimage = size
        self._request(Request.S_FMT, wanted)
        return CodedFormat(part.pixelformat, part.plane_fmt[0].sizeimage if side.planar else part.sizeimage)

    def coded(self, side: Side) -> CodedFormat:
        """What a bit stream is."""
        raw = self.raw(side)
        return CodedFormat(raw.fourcc, raw.planes[0][0])

    def raw_set(self, side: Side, fourcc: int, width: int, height: int, colour: tuple[int, int, int, int]) -> RawFormat:
        """Sets what pictures are; the answer is what the node made of it."""
        wanted = Format(type=side.type)
        part = wanted.fmt.pix_mp if side.planar else wanted.fmt.pix
        part.width, part.height, part.pixelformat, part.field = width, height, fourcc, 1
        part.colorspace, part.xfer_func, part.ycbcr_enc, part.quantization = colour
        self._request(Request.S_FMT, wanted)
        return _raw(wanted, side)

    def raw(self, side: Side) -> RawFormat:
        """What pictures are."""
        asked = Format(type=side.type)
        self._request(Request.G_FMT, asked)
        return _raw(asked, side)

    def visible(self) -> tuple[int, int, int, int] | None:
        """Left, top, width and height of what a decoder's pictures show."""
        selection = Selection(type=QueueType.VIDEO_CAPTURE, target=Target.COMPOSE)
        try:
            self._request(Request.G_SELECTION, selection)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return None
            raise
        return selection.r.left, selection.r.top, selection.r.width, selection.r.height

    def visible_set(self, width: int, height: int) -> tuple[int, int]:
        """Sets what an encoder takes of its pictures, from their upper left corner; what it made of it, if it can."""
        selection = Selection(type=QueueType.VIDEO_OUTPUT, target=Target.CROP)
        selection.r.width, selection.r.height = width, height
        try:
            self._request(Request.S_SELECTION, selection)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return 0, 0
            raise
        return selection.r.width, selection.r.height

    def interval_set(self, side: Side, numerator: int, denominator: int) -> None:
        """Tells an encoder how long a picture lasts, if it cares."""
        parameters = StreamParameters(type=side.type)
        parameters.parm.output.timeperframe.numerator = numerator
        parameters.parm.output.timeperframe.denominator = denominator
        with suppress(OSError):
            self._request(Request.S_PARM, parameters)

    # --- controls ---------------------------------------------------------------------------------

    def has(self, control: ControlId) -> bool:
        """Whether there is such a control."""
        query = ControlQuery(id=control)
        try:
            self._request(Request.QUERYCTRL, query)
        except OSError:
            return False
        return not query.flags & ControlFlag.DISABLED

    def control(self, control: ControlId, default: int | None = None) -> int:
        """Its value; the default when there is none, if one is given."""
        asked = Control(id=control)
        try:
            self._request(Request.G_CTRL, asked)
        except OSError:
            if default is None:
                raise
            return default
        return int(asked.value)

    def control_set(self, control: ControlId, value: int) -> None:
        """Sets it to the nearest value that it can have."""
        query = ControlQuery(id=control)
        self._request(Request.QUERYCTRL, query)
        value = min(max(value, query.minimum), query.maximum)
        self._request(Request.S_CTRL, Control(id=control, value=value))

    # --- commands and events ----------------------------------------------------------------------

    def subscribe(self, event: EventType) -> None:
        """Wants to be told."""
        self._request(Request.SUBSCRIBE_EVENT, EventSubscription(type=event))

    def events(self) -> Iterator[tuple[int, int]]:
        """Type and changes of what has happened."""
        while True:
            event = Event()
            try:
                self._request(Request.DQEVENT, event)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                raise
            yield event.type, event.u.changes

    def command(self, request: Request, command: Command) -> None:
        """``DECODER_CMD`` or ``ENCODER_CMD``. That it is under way already is no error."""
        try:
            self._request(request, CodecCommand(cmd=command))
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise

    # --- buffers ----------------------------------------------------------------------------------

    def takes_pages(self, side: Side) -> bool:
        """Whether the side says that it works in somebody else's memory."""
        asked = RequestBuffers(type=side.type, memory=Memory.USERPTR)
        try:
            self._request(Request.REQBUFS, asked)
        except OSError:
            return False
        return not asked.capabilities or bool(asked.capabilities & BufferCapability.SUPPORTS_USERPTR)

    def allocate(self, side: Side, memory: Memory, count: int) -> int:
        """Makes so many buffers (none: lets go of all); how many there are."""
        asked = RequestBuffers(count=min(count, BUFFERS_MAX), type=side.type, memory=memory)
        self._request(Request.REQBUFS, asked)
        return int(asked.count)

    def enlarge(self, side: Side, memory: Memory, size: int) -> int:
        """Makes one more buffer, of this size; its number."""
        asked = CreateBuffers(count=1, memory=memory, format=Format(type=side.type))
        self._request(Request.G_FMT, asked.format)
        part = asked.format.fmt.pix_mp.plane_fmt[0] if side.planar else asked.format.fmt.pix
        part.sizeimage = size
        self._request(Request.CREATE_BUFS, asked)
        return int(asked.index)

    def places(self, side: Side, index: int) -> list[tuple[int, int]]:
        """Where the kernel's own buffer can be mapped: (offset, length) of each memory plane."""
        asked, planes = _buffer(side, Memory.MMAP, index)
        self._request(Request.QUERYBUF, asked)
        if not side.planar:
            return [(asked.m.offset, asked.length)]
        return [(plane.m.mem_offset, plane.length) for plane in planes[: asked.length]]

    def map(self, place: tuple[int, int]) -> int:
        """Maps a place; its address."""
        return self._calls.map(self._descriptor, *place)

    def unmap(self, address: int, length: int) -> None:
        """Undoes ``map``."""
        self._calls.unmap(address, length)

    def queue(
        self, side: Side, memory: Memory, index: int, pieces: Sequence[tuple[int, int, int]], tag: int = 0
    ) -> None:
        """Gives a buffer to the codec: address, length and octets used of each memory plane."""
        buffer, planes = _buffer(side, memory, index)
        buffer.field = 1
        buffer.timestamp.tv_sec, buffer.timestamp.tv_usec = divmod(tag, _MILLION)
        if side.planar:
            buffer.length = len(pieces)
            for plane, (address, length, used) in zip(planes, pieces, strict=False):
                plane.length, plane.bytesused = length, used
                if memory is Memory.USERPTR:
                    plane.m.userptr = address
        else:
            address, buffer.length, buffer.bytesused = pieces[0]
            if memory is Memory.USERPTR:
                buffer.m.userptr = address
        self._request(Request.QBUF, buffer)

    def dequeue(self, side: Side, memory: Memory) -> Dequeued | None:
        """Takes a buffer that is done, if there is one."""
        buffer, planes = _buffer(side, memory, 0)
        try:
            self._request(Request.DQBUF, buffer)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EPIPE):  # EPIPE: the last one was taken
                return None
            raise
        used = sum(plane.bytesused for plane in planes[: buffer.length]) if side.planar else buffer.bytesused
        tag = buffer.timestamp.tv_sec * _MILLION + buffer.timestamp.tv_usec
        return Dequeued(buffer.index, used, BufferFlag(buffer.flags), tag)

    def start(self, side: Side) -> None:
        """The side runs."""
        self._request(Request.STREAMON, ctypes.c_int32(side.type))

    def stop(self, side: Side) -> None:
        """All its buffers are the caller's again."""
        self._request(Request.STREAMOFF, ctypes.c_int32(side.type))


@contextmanager
def read_only_pages(length: int) -> Iterator[int]:
    """The address of shared memory that cannot be written through it, as a domain grants its inputs."""
    descriptor = os.memfd_create("paracore", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, length)
        address = _map(descriptor, 0, length, mmap.PROT_READ)
    finally:
        os.close(descriptor)
    try:
        yield address
    finally:
        _unmap(address, length)


def _buffer(side: Side, memory: Memory, index: int) -> tuple[Buffer, ctypes.Array[Plane]]:
    """An empty one, and its memory planes, which live as long as somebody has them."""
    planes = (Plane * PLANES_MAX)()
    buffer = Buffer(type=side.type, memory=memory, index=index)
    if side.planar:
        buffer.m.planes, buffer.length = ctypes.addressof(planes), PLANES_MAX
    return buffer, planes


def _raw(answer: Format, side: Side) -> RawFormat:
    part = answer.fmt.pix_mp if side.planar else answer.fmt.pix
    planes = part.plane_fmt[: part.num_planes] if side.planar else [part]
    return RawFormat(
        part.pixelformat,
        part.width,
        part.height,
        tuple((plane.sizeimage, plane.bytesperline) for plane in planes),
        (part.colorspace, part.xfer_func, part.ycbcr_enc, part.quantization),
        part.field,
    )
