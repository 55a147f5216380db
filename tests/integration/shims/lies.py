# SPDX-License-Identifier: Apache-2.0
"""What a liar says to the shims, by what is wrong with it."""

from functools import partial

from paracore.classes import core, video
from paracore.protocol._message import REPLY, message
from tests.integration.shims.liar import FORMAT, HEIGHT, LUMA, SESSION, SIZE, able, honest

MANY = 0xFFFFFFFF
CANCELLED, EMPTY, LAST = video.OutputFlag.CANCELLED, video.OutputFlag.EMPTY, video.OutputFlag.LAST

# --- no harm --------------------------------------------------------------------------------------------------


def of_others(payload, _count):
    """Events of sessions that there are not."""
    yield payload, SESSION - 1
    yield payload, 0
    yield payload


def unknown_cookies(payload, _count):
    """Completions of what was never given."""
    if isinstance(payload, video.InputDone | video.OutputReady):
        yield payload._replace(cookie=payload.cookie + 1000)
        yield payload._replace(cookie=0)
    yield payload


def twice(payload, _count):
    yield payload
    if not isinstance(payload, video.SourceChange):
        yield payload


def drained_at_any_time(payload, _count):
    if isinstance(payload, video.InputDone):
        yield video.Drained()
    yield payload


HARMLESS = [honest, of_others, unknown_cookies, twice]

SMALLER = FORMAT._replace(
    height=HEIGHT // 2, coded_height=HEIGHT // 2, size=SIZE // 2, plane_offset=(0, LUMA // 2, LUMA * 5 // 8, 0)
)


class Changing:
    """Another format from the eleventh picture on. The tenth is marked as the last, before that is told or after it.

    It is a lie only that another one, `lie`, is marked, too.
    """

    OLD = 10

    def __init__(self, marked, to=SMALLER, lie=0):
        self._marked, self._to, self._lie = marked, to, lie
        self._shown = 0

    def __call__(self, payload, _count):
        if not isinstance(payload, video.OutputReady) or CANCELLED in payload.flags:
            yield payload
            return
        self._shown += 1
        if self._shown < self.OLD:
            yield payload._replace(flags=payload.flags | (LAST if self._shown == self._lie else 0))
        elif self._shown == self.OLD:
            told = [
                payload._replace(flags=payload.flags | LAST),
                video.SourceChange(2, video.ChangeFlag.BUFFERS, self._to),
            ]
            yield from told if self._marked == "before" else reversed(told)
        else:
            size = min(payload.bytes_used, self._to.size)
            yield payload._replace(generation=2, bytes_used=size, height=self._to.height)


# --- formats ---------------------------------------------------------------------------------------------------

FORMATS = {
    "no octets": {"size": 0},
    "more octets than there are": {"size": 1 << 40},
    "fewer octets than planes": {"size": LUMA},
    "planes beyond the end": {"plane_offset": (0, 1 << 24, 1 << 25, 0)},
    "planes in each other": {"plane_offset": (0, 0, 0, 0)},
    "planes backwards": {"plane_offset": (LUMA * 5 // 4, LUMA, 0, 0)},
    "rows in one place": {"plane_stride": (0, 0, 0, 0)},
    "rows of one octet": {"plane_stride": (1, 1, 1, 0)},
    "rows as long as all": {"plane_stride": (MANY, MANY, MANY, 0)},
    "one row, endless": {"width": 1 << 30, "height": 1, "coded_width": 1 << 30},
    "wider than its rows": {"width": 16000, "coded_width": 16000, "height": 16, "coded_height": 16},
    "endless": {"width": MANY, "height": MANY},
    "nothing": {"width": 0, "height": 0},
    "larger than coded": {"width": 1600, "height": 1200},
    "a crop that wraps around": {"crop_left": MANY - 255, "crop_top": MANY - 255},
    "a crop beyond the end": {"crop_left": 100_000, "crop_top": 100_000},
    "no planes": {"plane_count": 0},
    "more planes than there are": {"plane_count": MANY},
    "a name for other planes": {"pixel_format": video.PixelFormat.NV12},
    "no name": {"pixel_format": video.PixelFormat.GBRP10LE},
    "endless buffers": {"buffers_min": MANY},
}


# --- events ----------------------------------------------------------------------------------------------------


def of_pictures(**lies):
    """A lie about each picture or packet."""

    def lie(payload, _count):
        is_one = isinstance(payload, video.OutputReady) and not payload.flags & (CANCELLED | EMPTY)
        yield payload._replace(**lies) if is_one else payload

    return lie


def storm(payload, count):
    """One format after the other, and nobody is asked."""
    yield payload
    if isinstance(payload, video.SourceChange | video.InputDone):
        for number in range(2 + 100 * count, 102 + 100 * count):
            wide = FORMAT._replace(width=FORMAT.width - 2 * (number % 8), size=SIZE + 4096 * (number % 5))
            yield video.SourceChange(number, video.ChangeFlag.BUFFERS, wide)


def back(payload, _count):
    """The generation begins anew with each picture, and pictures are of one that never was."""
    yield payload
    if isinstance(payload, video.OutputReady):
        yield video.SourceChange(1, video.ChangeFlag.BUFFERS, FORMAT._replace(width=160))
        yield video.SourceChange(0, video.ChangeFlag.BUFFERS, FORMAT)


def resized(octets):
    """Events that are shorter, or longer, than they may be."""

    def lie(payload, _count):
        yield payload.OPCODE, (payload.pack() + bytes(8))[: len(payload.pack()) + octets]

    return lie


EVENTS = {
    "more octets than the buffer": of_pictures(bytes_used=MANY),
    "no octets": of_pictures(bytes_used=0),
    "not one generation yet": of_pictures(generation=0),
    "a generation to come": of_pictures(generation=MANY),
    "the end, each time": of_pictures(flags=LAST),
    "the end, and no picture": of_pictures(flags=LAST | EMPTY),
    "too small, each time": of_pictures(flags=CANCELLED, bytes_used=SIZE + 1),
    "too small for anything": of_pictures(flags=CANCELLED, bytes_used=MANY),
    "a crop of its own": of_pictures(crop_left=MANY, crop_top=MANY, width=MANY, height=MANY),
    "a storm of formats": storm,
    "generations that go back": back,
    "events cut short": resized(-8),
    "events with more to them": resized(8),
}


# --- replies ---------------------------------------------------------------------------------------------------


def of_size(octets):
    """A reply of zeros."""

    def answer(connection, header, _payload):
        connection.send(message(header.opcode, REPLY, header.object, header.serial, bytes(octets)))

    return answer


REPLIES = {
    "a size of 4 G": {"video_capability_query": partial(able, width_max=MANY, height_max=MANY)},
    "no formats": {"video_capability_query": partial(able, pixel_formats=0)},
    "all formats": {"video_capability_query": partial(able, pixel_formats=(1 << 64) - 1)},
    "nothing of a device": {"core_device_query": of_size(0)},
    "nothing of a session": {"video_open": of_size(0)},
    "too much of a session": {"video_open": of_size(64)},
    "no session": {"video_open": of_size(video.OpenReply.SIZE)},
    "too much of a buffer": {"core_buffer_attach": of_size(64)},
    "buffer 0": {"core_buffer_attach": of_size(core.BufferAttachReply.SIZE)},
}
