# SPDX-License-Identifier: Apache-2.0
"""A device that answers a session's state without any I/O: memory out of nowhere, events as told."""

import ctypes

from paracore import QuotaExceeded
from paracore.classes import core, video
from paracore.frontend._buffers import Memory

SIZE = (64, 48)
LUMA = 64 * 48


def picture_format(*, width=SIZE[0], height=SIZE[1], buffers_min=3, pixel_format=video.PixelFormat.YUV420P, **changes):
    luma = width * height
    fields = {
        "pixel_format": pixel_format,
        "coded_width": width,
        "coded_height": height,
        "crop_left": 0,
        "crop_top": 0,
        "width": width,
        "height": height,
        "plane_count": 3,
        "plane_offset": (0, luma, luma + luma // 4, 0),
        "plane_stride": (width, width // 2, width // 2, 0),
        "size": luma * 3 // 2,
        "buffers_min": buffers_min,
        "field_order": video.FieldOrder.PROGRESSIVE,
        "color_primaries": 1,
        "color_transfer": 1,
        "color_matrix": 1,
        "color_range": 1,
        "chroma_location": 1,
        "aspect_num": 4,
        "aspect_den": 3,
        "rate_num": 25,
        "rate_den": 1,
    }
    return video.PictureFormat(**fields | changes)


class Device:
    """The other side of a session's state."""

    def __init__(self, state, *, octets=1 << 30):
        self.state = state
        self.octets = octets
        self.granted = []
        self.retired = []
        self.inputs = []
        self.outputs = []
        self.drains = []
        self.serial = 0
        self._keep = []

    def serve(self, *, waiting=False):
        """Grants what is asked for and takes what is posted."""
        while (request := self.state.memory_request(waiting=waiting)) is not None:
            request.answer(lambda request=request: self.grant(request.length))
        for post in self.state.take_posts():
            self.serial += 1
            post.ticket.serial = self.serial
            if post.opcode == video.QueueInput.OPCODE:
                self.inputs.append(video.QueueInput.unpack(post.payload))
            elif post.opcode == video.QueueOutput.OPCODE:
                self.outputs.append(video.QueueOutput.unpack(post.payload))
            else:
                self.drains.append(self.serial)

    def grant(self, length):
        if sum(self.granted) + length > self.octets:
            raise QuotaExceeded("bytes", self.octets)
        self.granted.append(length)
        block = ctypes.create_string_buffer(length)
        self._keep.append(block)
        view = memoryview(block).cast("B")
        return Memory(len(self.granted), ctypes.addressof(block), view, self.retired.append)

    def write(self, span, octets):
        ctypes.memmove(ctypes.addressof(self._keep[span.buffer - 1]) + span.offset, octets, len(octets))

    def event(self, event):
        self.state.receive(event.OPCODE, event.pack())

    def change(self, form, generation=1, changes=video.ChangeFlag.BUFFERS):
        self.event(video.SourceChange(generation, changes, form))

    def done(self, error=0):
        """Gives the oldest input back."""
        self.event(video.InputDone(self.inputs.pop(0).cookie, error))

    def ready(self, octets=b"", *, flags=0, timestamp=0, generation=1, width=SIZE[0], height=SIZE[1], used=None):
        """Gives the oldest output back, filled; returns its span."""
        lent = self.outputs.pop(0)
        self.write(lent.span, octets)
        used = len(octets) if used is None else used
        fields = (timestamp, timestamp, 1, generation, used, video.PictureType.INTRA, 0, 0, width, height)
        self.event(video.OutputReady(lent.cookie, video.OutputFlag(flags), *fields))
        return lent.span

    def fail(self, serial, error=video.Error.BUSY, limit=video.Limit.NONE, opcode=video.QueueOutput.OPCODE):
        self.event(core.PostFailed(serial, opcode, error, limit))
