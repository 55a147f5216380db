# SPDX-License-Identifier: Apache-2.0
"""A stateful codec behind the requests of V4L2, in this process: what dev-decoder.rst and dev-encoder.rst say.

A unit of its streams is ``<4sHHBB``: ``b"fake"``, width, height, shade, 1 for a key picture. It does all that it can in
each request, in the caller's thread. Its test is that the shipped checks pass on it as on ``vicodec``.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any

from paracore.drivers.v4l2 import _uapi as uapi
from paracore.drivers.v4l2._formats import fourcc
from paracore.drivers.v4l2._node import Calls
from paracore.drivers.v4l2._uapi import BufferFlag, Memory, QueueType, Request

UNIT = Struct("<4sHHBB")
CODED, RAW = fourcc("H264"), fourcc("GREY")
LARGEST = 4096
FIELDS = {QueueType.VIDEO_OUTPUT, QueueType.VIDEO_OUTPUT_MPLANE}


def writable(address: int) -> bool:
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, access, *_ = line.split()
        first, end = (int(part, 16) for part in where.split("-"))
        if first <= address < end:
            return access[1] == "w"
    return False


def fail(code: int) -> None:
    raise OSError(code, os.strerror(code))


@dataclass
class Slot:
    """One buffer of a queue."""

    memory: ctypes.Array | None = None
    address: int = 0
    length: int = 0
    used: int = 0
    tag: tuple[int, int] = (0, 0)
    flags: int = 0


@dataclass
class Queue:
    """One side."""

    coded: bool
    fourcc: int
    size: int = 1 << 16
    width: int = 0
    height: int = 0
    memory: int = 0
    slots: list[Slot] = field(default_factory=list)
    queued: deque[int] = field(default_factory=deque)
    done: deque[int] = field(default_factory=deque)
    streaming: bool = False
    ended: bool = False


class File:
    """An open file."""

    def __init__(self, device: FakeCodec, descriptor: int) -> None:
        self.device = device
        self.descriptor = descriptor
        self.output = Queue(coded=True, fourcc=CODED)
        self.capture = Queue(coded=False, fourcc=RAW)
        self.encodes = False
        self.events: deque[int] = deque()
        self.controls = {uapi.ControlId.MPEG_VIDEO_GOP_SIZE: 10, uapi.ControlId.MPEG_VIDEO_BITRATE: 1000}
        self.controls[uapi.ControlId.MPEG_VIDEO_HEADER_MODE] = 0
        if device.button:
            self.controls[uapi.ControlId.MPEG_VIDEO_FORCE_KEY_FRAME] = 0
        if device.reorders:
            self.controls[uapi.ControlId.MPEG_VIDEO_B_FRAMES] = 2
        self.draining = self.stopped = self.changed = False
        self.count = 0
        self.crop = (0, 0)

    def side(self, type_: int) -> Queue:
        planar = type_ in (QueueType.VIDEO_CAPTURE_MPLANE, QueueType.VIDEO_OUTPUT_MPLANE)
        if planar is not self.device.planar:
            fail(errno.EINVAL)
        return self.output if type_ in FIELDS else self.capture

    # --- the codec ------------------------------------------------------------------------------------

    def run(self) -> None:
        while self.step():
            pass
        os.eventfd_write(self.descriptor, 1)

    def step(self) -> bool:
        if not self.output.streaming or self.stopped or self.changed or self.device.hangs:
            return False
        if not self.output.queued:
            return self.draining and self.end()
        if self.device.keeps and len(self.output.queued) == 1 and not self.draining:
            return False
        slot = self.output.slots[self.output.queued[0]]
        return self.encode(slot) if self.encodes else self.decode(slot)

    def finish(self, queue: Queue, flags: int = 0, used: int | None = None, tag: tuple[int, int] | None = None) -> bool:
        slot = queue.slots[queue.queued[0]]
        slot.flags = flags
        slot.used = slot.used if used is None else used
        slot.tag = tag or slot.tag
        queue.done.append(queue.queued.popleft())
        return True

    def mark(self) -> bool:
        """An empty buffer, marked last."""
        if not (self.capture.streaming and self.capture.queued):
            return False
        return self.finish(self.capture, BufferFlag.LAST, 0)

    def end(self) -> bool:
        if self.mark():
            self.draining, self.stopped = False, True
            return True
        return False

    def decode(self, slot: Slot) -> bool:
        octets = ctypes.string_at(slot.address, slot.used)
        if len(octets) < UNIT.size or octets[:4] != b"fake":
            return self.finish(self.output, BufferFlag.ERROR)
        _, width, height, shade, key = UNIT.unpack(octets[: UNIT.size])
        capture = self.capture
        if (capture.width, capture.height) != (width, height):
            if capture.streaming and not self.mark():
                return False
            capture.width, capture.height, capture.size = width, height, width * height
            self.events.append(uapi.EventType.SOURCE_CHANGE)
            self.changed = capture.streaming
            return False
        if not (capture.streaming and capture.queued):
            return False
        ctypes.memset(capture.slots[capture.queued[0]].address, shade, width * height)
        last = self.draining and len(self.output.queued) == 1 and self.device.marks_pictures
        flags = (BufferFlag.KEYFRAME if key else BufferFlag.PFRAME) | (BufferFlag.LAST if last else 0)
        self.finish(capture, flags, width * height, slot.tag)
        if last:
            self.draining, self.stopped = False, True
        return self.finish(self.output)

    def encode(self, slot: Slot) -> bool:
        capture = self.capture
        if not (capture.streaming and capture.queued):
            return False
        key = self.count % self.controls[uapi.ControlId.MPEG_VIDEO_GOP_SIZE] == 0
        key |= bool(self.controls.get(uapi.ControlId.MPEG_VIDEO_FORCE_KEY_FRAME))
        if self.device.button:
            self.controls[uapi.ControlId.MPEG_VIDEO_FORCE_KEY_FRAME] = 0
        self.count += 1
        shade = ctypes.string_at(slot.address, 1)[0]
        unit = UNIT.pack(b"fake", self.output.width, self.output.height, shade, key)
        ctypes.memmove(capture.slots[capture.queued[0]].address, unit, len(unit))
        self.finish(capture, BufferFlag.KEYFRAME if key else BufferFlag.PFRAME, len(unit), slot.tag)
        return self.finish(self.output)

    # --- requests ---------------------------------------------------------------------------------------

    def querycap(self, a: Any) -> None:
        a.card = b"fake codec"
        a.device_caps = uapi.NodeCapability.VIDEO_M2M_MPLANE if self.device.planar else uapi.NodeCapability.VIDEO_M2M
        a.capabilities = a.device_caps | uapi.NodeCapability.DEVICE_CAPS

    def enum_fmt(self, a: Any) -> None:
        side = self.side(a.type)
        able = (CODED, RAW) if not (self.output.slots or self.capture.slots) else (side.fourcc,)
        if a.index >= len(able):
            fail(errno.EINVAL)
        a.pixelformat, a.flags = able[a.index], uapi.FormatFlag.DYN_RESOLUTION

    def enum_framesizes(self, a: Any) -> None:
        if a.index:
            fail(errno.EINVAL)
        a.type = uapi.FrameSizeType.STEPWISE
        a.stepwise.max_width = a.stepwise.max_height = LARGEST

    def part(self, a: Any) -> Any:
        return a.fmt.pix_mp if self.device.planar else a.fmt.pix

    def s_fmt(self, a: Any) -> None:
        side, part = self.side(a.type), self.part(a)
        if side.slots:
            fail(errno.EBUSY)
        side.coded, side.fourcc = part.pixelformat == CODED, part.pixelformat
        self.encodes = (side is self.capture) == side.coded
        if not side.coded:
            side.width, side.height = part.width, part.height
            side.size = self.crop_size(side)
        self.g_fmt(a)

    @staticmethod
    def crop_size(side: Queue) -> int:
        return side.width * side.height

    def g_fmt(self, a: Any) -> None:
        side, part = self.side(a.type), self.part(a)
        part.width, part.height, part.pixelformat, part.field, part.colorspace = (
            side.width,
            side.height,
            side.fourcc,
            1,
            3,
        )
        if self.device.planar:
            part.num_planes = 1
            part = part.plane_fmt[0]
        part.sizeimage, part.bytesperline = side.size, 0 if side.coded else side.width

    def g_selection(self, a: Any) -> None:
        a.r.width, a.r.height = self.capture.width, self.capture.height

    def s_selection(self, a: Any) -> None:
        self.crop = (a.r.width, a.r.height)

    def s_parm(self, a: Any) -> None:
        pass

    def queryctrl(self, a: Any) -> None:
        if a.id not in self.controls:
            fail(errno.EINVAL)
        a.minimum, a.maximum = 0, 1 << 20

    def g_ctrl(self, a: Any) -> None:
        if a.id not in self.controls:
            fail(errno.EINVAL)
        a.value = self.controls[a.id]

    def s_ctrl(self, a: Any) -> None:
        if a.id == uapi.ControlId.MPEG_VIDEO_GOP_SIZE and self.output.streaming:
            fail(errno.EBUSY)
        self.controls[a.id] = a.value

    def subscribe_event(self, a: Any) -> None:
        pass

    def dqevent(self, a: Any) -> None:
        if not self.events:
            fail(errno.ENOENT)
        a.type, a.u.changes = self.events.popleft(), 1

    def reqbufs(self, a: Any) -> None:
        side = self.side(a.type)
        pages = self.device.pages
        a.capabilities = uapi.BufferCapability.SUPPORTS_MMAP | (2 if pages else 0)
        if side.streaming or (a.memory == Memory.USERPTR and not pages):
            fail(errno.EBUSY if side.streaming else errno.EINVAL)
        side.memory, side.slots = a.memory, [Slot() for _ in range(a.count)]
        if a.memory == Memory.MMAP:
            for slot in side.slots:
                slot.memory = (ctypes.c_char * side.size)()
                slot.address, slot.length = ctypes.addressof(slot.memory), side.size
        self.device.log.append(("REQBUFS", a.count))

    def create_bufs(self, a: Any) -> None:
        if not self.device.enlarges:
            fail(errno.ENOTTY)
        side = self.side(a.format.type)
        part = self.part(a.format)
        size = part.plane_fmt[0].sizeimage if self.device.planar else part.sizeimage
        memory = (ctypes.c_char * size)()
        a.index = len(side.slots)
        side.slots.append(Slot(memory, ctypes.addressof(memory), size))

    def planes(self, a: Any) -> Any:
        if not self.device.planar:
            return a
        return ctypes.cast(a.m.planes, ctypes.POINTER(uapi.Plane))[0]

    def querybuf(self, a: Any) -> None:
        plane = self.planes(a)
        slot = self.side(a.type).slots[a.index]
        plane.length = slot.length
        if self.device.planar:
            plane.m.mem_offset, a.length = self.device.place(slot), 1
        else:
            a.m.offset = self.device.place(slot)

    def qbuf(self, a: Any) -> None:
        side, plane = self.side(a.type), self.planes(a)
        if a.memory != side.memory or a.index in side.queued or a.index in side.done:
            fail(errno.EINVAL)
        slot = side.slots[a.index]
        if a.memory == Memory.USERPTR:
            if plane.length < side.size:
                fail(errno.EINVAL)
            if self.device.refuses_pages or (self.device.needs_writing and not writable(plane.m.userptr)):
                fail(errno.EFAULT)
            if slot.address != plane.m.userptr:
                self.device.pins += 1
            slot.address, slot.length = plane.m.userptr, plane.length
        slot.used = plane.bytesused if side is self.output else 0
        slot.tag = (a.timestamp.tv_sec, a.timestamp.tv_usec)
        side.queued.append(a.index)
        self.run()

    def dqbuf(self, a: Any) -> None:
        side = self.side(a.type)
        if a.memory != side.memory or not side.streaming:
            fail(errno.EINVAL)
        if side.ended:
            fail(errno.EPIPE)
        if not side.done:
            fail(errno.EAGAIN)
        a.index = side.done.popleft()
        slot = side.slots[a.index]
        a.flags, side.ended = slot.flags, bool(slot.flags & BufferFlag.LAST)
        a.timestamp.tv_sec, a.timestamp.tv_usec = slot.tag
        self.planes(a).bytesused = slot.used
        if self.device.planar:
            a.length = 1

    def streamon(self, a: Any) -> None:
        side = self.side(a.value)
        if not side.slots:
            fail(errno.EINVAL)
        side.streaming = True
        self.run()

    def streamoff(self, a: Any) -> None:
        side = self.side(a.value)
        side.streaming = side.ended = False
        side.queued.clear()
        side.done.clear()
        self.draining = self.stopped = False
        self.count = 0
        if side is self.capture:
            self.changed = False

    def command(self, a: Any) -> None:
        if not (self.output.streaming and self.capture.streaming):
            return
        if self.draining:
            fail(errno.EBUSY)
        if a.cmd == uapi.Command.STOP:
            self.draining = True
        elif self.stopped:
            self.stopped = self.capture.ended = False
        self.run()

    def decoder_cmd(self, a: Any) -> None:
        self.command(a)

    def encoder_cmd(self, a: Any) -> None:
        self.command(a)


class FakeCodec:
    """A node. ``calls`` are for ``v4l2.make``, with a path that exists.

    Args:
        planar: speaks the multi-planar API.
        pages: works in foreign pages.
        refuses_pages: says so, and does not.
        needs_writing: works in those that may be written.
        enlarges: makes more buffers while it works.
        button: has a control for key pictures.
        reorders: says that pictures refer to later ones.
        marks_pictures: marks the last picture instead of an empty buffer.
        keeps: works on an input when it has seen the next one.
    """

    def __init__(
        self,
        *,
        planar=False,
        pages=True,
        refuses_pages=False,
        needs_writing=False,
        enlarges=True,
        button=True,
        reorders=False,
        marks_pictures=False,
        keeps=False,
    ):
        self.hangs = False  # takes all it gets, and makes nothing of it
        self.planar = planar
        self.pages = pages
        self.refuses_pages = refuses_pages
        self.needs_writing = needs_writing
        self.enlarges = enlarges
        self.button = button
        self.reorders = reorders
        self.marks_pictures = marks_pictures
        self.keeps = keeps
        self.files: dict[int, File] = {}
        self.gone = 0
        self.pins = self.mapped = 0
        self.log: list[tuple[Any, ...]] = []
        self._places: list[Slot] = []
        self.calls = Calls(self.open, self.ioctl, self.map, self.unmap)

    def open(self, path: str) -> int:
        descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.files[descriptor] = File(self, descriptor)
        return descriptor

    def ioctl(self, descriptor: int, request: int, argument: Any) -> int:
        if self.gone:
            fail(self.gone)
        getattr(self.files[descriptor], Request(request).name.lower())(argument)
        return 0

    def unplug(self, code: int = errno.ENODEV) -> None:
        """All requests fail from now on."""
        self.gone = code
        for descriptor in self.files:
            try:
                os.eventfd_write(descriptor, 1)
            except OSError:
                continue

    def place(self, slot: Slot) -> int:
        self._places.append(slot)
        return (len(self._places) - 1) << 12

    def map(self, descriptor: int, offset: int, length: int) -> int:
        self.mapped += 1
        return self._places[offset >> 12].address

    def unmap(self, address: int, length: int) -> None:
        self.mapped -= 1
