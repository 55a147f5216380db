# SPDX-License-Identifier: Apache-2.0
"""Device class video, number 1.

Video codecs, with the semantics of the V4L2 stateful codec interfaces
(Documentation/userspace-api/media/v4l/dev-decoder.rst and dev-encoder.rst).

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from enum import STRICT, IntEnum, IntFlag
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from paracore.classes._common import Error, Failure, Limit
from paracore.classes._payload import Kind, MessageType, malformed, unsendable, zero

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "MESSAGES",
    "CapabilityFlag",
    "CapabilityQuery",
    "CapabilityQueryReply",
    "ChangeFlag",
    "Close",
    "CloseReply",
    "Codec",
    "Control",
    "ControlGet",
    "ControlGetReply",
    "ControlSet",
    "ControlSetReply",
    "Direction",
    "Drain",
    "Drained",
    "Error",
    "Event",
    "Failure",
    "FieldOrder",
    "Flush",
    "FlushReply",
    "FormatGet",
    "FormatGetReply",
    "FormatSet",
    "FormatSetReply",
    "InputDone",
    "InputFlag",
    "Limit",
    "Open",
    "OpenFlag",
    "OpenReply",
    "OutputFlag",
    "OutputReady",
    "PictureFormat",
    "PictureType",
    "PixelFormat",
    "QueueInput",
    "QueueOutput",
    "Recall",
    "RecallReply",
    "SessionFailed",
    "SourceChange",
    "Span",
]


class Codec(IntEnum):
    """An elementary stream format. h264 and hevc cross in Annex B form, av1 as OBU temporal units."""

    H264 = 1
    """ITU-T H.264, Annex B byte stream."""
    HEVC = 2
    """ITU-T H.265, Annex B byte stream."""
    VP8 = 3
    """RFC 6386 frames."""
    VP9 = 4
    """VP9 frames or superframes."""
    AV1 = 5
    """AV1 low-overhead OBU temporal units."""
    MPEG2 = 6
    """ISO/IEC 13818-2, also MPEG-1 video."""
    MPEG4 = 7
    """ISO/IEC 14496-2, configuration in band."""
    MJPEG = 8
    """One JPEG per picture."""
    FWHT = 9
    """Linux's Fast Walsh Hadamard Transform (V4L2_PIX_FMT_FWHT), one frame with its header: the codec of the
    kernel's own test device.
    """


class Direction(IntEnum):
    """What a session does with its codec."""

    DECODE = 1
    """Bit stream in, pictures out."""
    ENCODE = 2
    """Pictures in, bit stream out."""


class PixelFormat(IntEnum):
    """Sample layouts, by FFmpeg's names. Components of more than 8 bits are little-endian 16-bit words."""

    NONE = 0
    """Not known yet."""
    YUV420P = 1
    """8 bit 4:2:0, three planes."""
    YUV422P = 2
    """8 bit 4:2:2, three planes."""
    YUV444P = 3
    """8 bit 4:4:4, three planes."""
    YUV440P = 4
    """8 bit 4:4:0, three planes."""
    YUV411P = 5
    """8 bit 4:1:1, three planes."""
    GRAY = 6
    """8 bit, luma only."""
    NV12 = 7
    """8 bit 4:2:0, chroma interleaved."""
    YUV420P10LE = 8
    """10 bit 4:2:0, three planes."""
    YUV422P10LE = 9
    """10 bit 4:2:2, three planes."""
    YUV444P10LE = 10
    """10 bit 4:4:4, three planes."""
    GRAY10LE = 11
    """10 bit, luma only."""
    P010LE = 12
    """10 bit 4:2:0 in the high bits, chroma interleaved."""
    YUV420P12LE = 13
    """12 bit 4:2:0, three planes."""
    YUV422P12LE = 14
    """12 bit 4:2:2, three planes."""
    YUV444P12LE = 15
    """12 bit 4:4:4, three planes."""
    GBRP = 16
    """8 bit RGB, planes in the order G, B, R."""
    GBRP10LE = 17
    """10 bit RGB, planes in the order G, B, R."""


class FieldOrder(IntEnum):
    """Interlacing of a picture."""

    UNKNOWN = 0
    """Not known."""
    PROGRESSIVE = 1
    """One frame."""
    TOP_FIRST = 2
    """Two fields, the top one is earlier."""
    BOTTOM_FIRST = 3
    """Two fields, the bottom one is earlier."""


class PictureType(IntEnum):
    """How a picture is coded."""

    UNKNOWN = 0
    """Not known."""
    INTRA = 1
    """I."""
    PREDICTED = 2
    """P."""
    BIDIRECTIONAL = 3
    """B."""


class Control(IntEnum):
    """Knobs of a session. All are 64-bit integers."""

    BITRATE = 1
    """Bits per second; 0 leaves it to `quality`."""
    GOP = 2
    """Pictures from one key frame to the next at most."""
    B_FRAMES = 3
    """Bidirectional pictures in a row at most."""
    QUALITY = 4
    """Constant quality, in the codec's own scale (crf, q); -1 is off."""
    PRESET = 5
    """Speed against size: 0 fastest to 9 smallest."""
    THREADS = 6
    """Codec threads; 0 lets the device choose within the domain's limit."""
    LOW_DELAY = 7
    """1: no reordering and no look-ahead."""
    PROFILE = 8
    """The codec's own profile number; -1 is the codec's choice."""
    RATE = 9
    """Pictures in a thousand seconds that the session's user wants, for the policy `deadline`; 0: it does not
    say. Every session has it; an encoder's is its format's rate until it is set. Reserved as a format's rate
    is.
    """
    SAMPLES = 10
    """Samples of a picture that a decoder's user expects, until the stream says how large they are; 0: it does
    not know. Every decoder has it, and what it expects at its `rate` is reserved.
    """


class OpenFlag(IntFlag, boundary=STRICT):
    """Flags of `video.open`."""

    LOW_DELAY = 0x1
    """Give pictures out as soon as the codec has them."""


class InputFlag(IntFlag, boundary=STRICT):
    """Flags of a queued input."""

    KEY = 0x1
    """Encoder: code this picture as a key frame."""
    CONFIG = 0x2
    """Decoder: parameter sets only; no picture comes of it."""


class OutputFlag(IntFlag, boundary=STRICT):
    """Flags of a finished output."""

    KEY = 0x1
    """A decoder can start here."""
    ERROR = 0x2
    """Damaged: shown as the codec concealed it."""
    LAST = 0x4
    """The last before a drain completes or a new format begins."""
    CANCELLED = 0x8
    """Given back unused, because it is too small: `bytes_used` says how many octets are needed."""
    EMPTY = 0x10
    """Holds no picture; comes with `last` when there is no picture left to carry it."""
    INTERLACED = 0x20
    """Two fields."""
    TOP_FIRST = 0x40
    """With `interlaced`: the top field is earlier."""


class ChangeFlag(IntFlag, boundary=STRICT):
    """What a source change is about."""

    BUFFERS = 0x1
    """Size, layout or pixel format: spans of the new size are needed."""
    COUNT = 0x2
    """More spans are needed than before."""
    COLOR = 0x4
    """Colour description, aspect ratio, rate or crop only."""


class CapabilityFlag(IntFlag, boundary=STRICT):
    """Properties of a codec on a device."""

    DYNAMIC_RESOLUTION = 0x1
    """The resolution may change in mid-stream."""
    ZERO_COPY = 0x2
    """Pictures are made in, or read from, the domain's own pages."""
    BITRATE_CHANGE = 0x4
    """The bit rate may change in mid-stream."""
    WRITABLE_INPUT = 0x8
    """Encoder: with `zero_copy`, pictures are read in place only in pages that are not granted `read_only`;
    others are copied.
    """


class _PictureFormatFields(NamedTuple):
    """Fields of ``PictureFormat``."""

    pixel_format: PixelFormat
    """Sample layout."""
    coded_width: int
    """Pixels per row that the codec writes, a multiple of its block size."""
    coded_height: int
    """Rows that the codec writes."""
    crop_left: int
    """First visible column."""
    crop_top: int
    """First visible row."""
    width: int
    """Visible columns."""
    height: int
    """Visible rows."""
    plane_count: int
    """1 to `plane_max`."""
    plane_offset: tuple[int, int, int, int]
    """Octets from the start of the buffer span to the first sample of each plane."""
    plane_stride: tuple[int, int, int, int]
    """Octets from one row to the next."""
    size: int
    """Octets a buffer span must have."""
    buffers_min: int
    """Spans the driver needs to make progress if each is given back at once."""
    field_order: FieldOrder
    """Interlacing."""
    color_primaries: int
    """ISO/IEC 23091-2 code point; 2 is unspecified."""
    color_transfer: int
    """ISO/IEC 23091-2 code point."""
    color_matrix: int
    """ISO/IEC 23091-2 code point."""
    color_range: int
    """0 unspecified, 1 limited, 2 full."""
    chroma_location: int
    """As H.273 Figure 1 plus one; 0 is unspecified."""
    aspect_num: int
    """Sample aspect ratio, numerator; 0 when unknown."""
    aspect_den: int
    """Sample aspect ratio, denominator."""
    rate_num: int
    """Frames per second, numerator; 0 when unknown."""
    rate_den: int
    """Frames per second, denominator."""


_PICTURE_FORMAT = Struct("<IIIIIIII4I4IQIIBBBBB3sIIII")


class PictureFormat(_PictureFormatFields):
    """How a raw picture lies in its buffer."""

    __slots__ = ()
    SIZE: ClassVar[int] = 104

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _PICTURE_FORMAT.pack(
                self.pixel_format,
                self.coded_width,
                self.coded_height,
                self.crop_left,
                self.crop_top,
                self.width,
                self.height,
                self.plane_count,
                *self.plane_offset,
                *self.plane_stride,
                self.size,
                self.buffers_min,
                self.field_order,
                self.color_primaries,
                self.color_transfer,
                self.color_matrix,
                self.color_range,
                self.chroma_location,
                b"",
                self.aspect_num,
                self.aspect_den,
                self.rate_num,
                self.rate_den,
            )
        except (StructError, ValueError) as error:
            raise unsendable("picture_format", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (
                pixel_format,
                coded_width,
                coded_height,
                crop_left,
                crop_top,
                width,
                height,
                plane_count,
                plane_offset_0,
                plane_offset_1,
                plane_offset_2,
                plane_offset_3,
                plane_stride_0,
                plane_stride_1,
                plane_stride_2,
                plane_stride_3,
                size,
                buffers_min,
                field_order,
                color_primaries,
                color_transfer,
                color_matrix,
                color_range,
                chroma_location,
                reserved0,
                aspect_num,
                aspect_den,
                rate_num,
                rate_den,
            ) = _PICTURE_FORMAT.unpack(payload)
            zero(reserved0)
            return cls(
                PixelFormat(pixel_format),
                coded_width,
                coded_height,
                crop_left,
                crop_top,
                width,
                height,
                plane_count,
                (plane_offset_0, plane_offset_1, plane_offset_2, plane_offset_3),
                (plane_stride_0, plane_stride_1, plane_stride_2, plane_stride_3),
                size,
                buffers_min,
                FieldOrder(field_order),
                color_primaries,
                color_transfer,
                color_matrix,
                color_range,
                chroma_location,
                aspect_num,
                aspect_den,
                rate_num,
                rate_den,
            )
        except (StructError, ValueError) as error:
            raise malformed("picture_format", error) from None


class _SpanFields(NamedTuple):
    """Fields of ``Span``."""

    buffer: int
    """The buffer, from `core.buffer_attach`."""
    length: int
    """Octets."""
    offset: int
    """Octets from the buffer's start."""


_SPAN = Struct("<IIQ")


class Span(_SpanFields):
    """A piece of an attached buffer. Checked against the attached length on every use."""

    __slots__ = ()
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _SPAN.pack(self.buffer, self.length, self.offset)
        except (StructError, ValueError) as error:
            raise unsendable("span", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            buffer, length, offset = _SPAN.unpack(payload)
            return cls(buffer, length, offset)
        except (StructError, ValueError) as error:
            raise malformed("span", error) from None


class _CapabilityQueryFields(NamedTuple):
    """Fields of ``CapabilityQuery``."""

    device: int
    """Index of the device."""
    index: int  # type: ignore[assignment]  # tuple's own method
    """0, 1, ..."""


_CAPABILITY_QUERY = Struct("<II")


class CapabilityQuery(_CapabilityQueryFields):
    """``video.capability_query``: Describes one codec and direction of a device; `no_entry` beyond the last."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0101
    NAME: ClassVar[str] = "capability_query"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CAPABILITY_QUERY.pack(self.device, self.index)
        except (StructError, ValueError) as error:
            raise unsendable("video.capability_query", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, index = _CAPABILITY_QUERY.unpack(payload)
            return cls(device, index)
        except (StructError, ValueError) as error:
            raise malformed("video.capability_query", error) from None


class _CapabilityQueryReplyFields(NamedTuple):
    """Fields of ``CapabilityQueryReply``."""

    codec: Codec
    """The elementary stream."""
    direction: Direction
    """Decode or encode."""
    flags: CapabilityFlag
    """Properties."""
    width_max: int
    """Pixels."""
    height_max: int
    """Pixels."""
    pixel_formats: int
    """Bit n is set when `pixel_format` n can be made or taken."""
    controls: int
    """Bit n is set when `control` n can be set."""


_CAPABILITY_QUERY_REPLY = Struct("<IIIIIIQQ")


class CapabilityQueryReply(_CapabilityQueryReplyFields):
    """Reply to ``video.capability_query``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0101
    NAME: ClassVar[str] = "capability_query_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 40

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CAPABILITY_QUERY_REPLY.pack(
                self.codec,
                self.direction,
                self.flags,
                self.width_max,
                self.height_max,
                0,
                self.pixel_formats,
                self.controls,
            )
        except (StructError, ValueError) as error:
            raise unsendable("video.capability_query_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (
                codec,
                direction,
                flags,
                width_max,
                height_max,
                reserved0,
                pixel_formats,
                controls,
            ) = _CAPABILITY_QUERY_REPLY.unpack(payload)
            zero(reserved0)
            return cls(
                Codec(codec),
                Direction(direction),
                CapabilityFlag(flags),
                width_max,
                height_max,
                pixel_formats,
                controls,
            )
        except (StructError, ValueError) as error:
            raise malformed("video.capability_query_reply", error) from None


class _OpenFields(NamedTuple):
    """Fields of ``Open``."""

    device: int
    """Index of the device."""
    codec: Codec
    """The elementary stream."""
    direction: Direction
    """Decode or encode."""
    flags: OpenFlag
    """Properties."""


_OPEN = Struct("<IIII")


class Open(_OpenFields):
    """``video.open``: Opens a session. Its number is the object of all that follows."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0102
    NAME: ClassVar[str] = "open"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _OPEN.pack(self.device, self.codec, self.direction, self.flags)
        except (StructError, ValueError) as error:
            raise unsendable("video.open", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, codec, direction, flags = _OPEN.unpack(payload)
            return cls(device, Codec(codec), Direction(direction), OpenFlag(flags))
        except (StructError, ValueError) as error:
            raise malformed("video.open", error) from None


class _OpenReplyFields(NamedTuple):
    """Fields of ``OpenReply``."""

    session: int
    """Never 0."""


_OPEN_REPLY = Struct("<II")


class OpenReply(_OpenReplyFields):
    """Reply to ``video.open``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0102
    NAME: ClassVar[str] = "open_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _OPEN_REPLY.pack(self.session, 0)
        except (StructError, ValueError) as error:
            raise unsendable("video.open_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            session, reserved0 = _OPEN_REPLY.unpack(payload)
            zero(reserved0)
            return cls(session)
        except (StructError, ValueError) as error:
            raise malformed("video.open_reply", error) from None


class _CloseFields(NamedTuple):
    """No field of ``Close``."""


_CLOSE = Struct("<")


class Close(_CloseFields):
    """``video.close``: Ends the session. All its spans are free once the reply is there; none is given back
    singly.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0103
    NAME: ClassVar[str] = "close"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CLOSE.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.close", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _CLOSE.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.close", error) from None


class _CloseReplyFields(NamedTuple):
    """No field of ``CloseReply``."""


_CLOSE_REPLY = Struct("<")


class CloseReply(_CloseReplyFields):
    """Reply to ``video.close``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0103
    NAME: ClassVar[str] = "close_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CLOSE_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.close_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _CLOSE_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.close_reply", error) from None


class _FormatGetFields(NamedTuple):
    """No field of ``FormatGet``."""


_FORMAT_GET = Struct("<")


class FormatGet(_FormatGetFields):
    """``video.format_get``: The picture format; `again` from a decoder that has not met one yet."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0104
    NAME: ClassVar[str] = "format_get"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FORMAT_GET.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.format_get", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _FORMAT_GET.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.format_get", error) from None


class _FormatGetReplyFields(NamedTuple):
    """Fields of ``FormatGetReply``."""

    format: PictureFormat
    """The raw side's."""


_FORMAT_GET_REPLY = Struct("<104s")


class FormatGetReply(_FormatGetReplyFields):
    """Reply to ``video.format_get``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0104
    NAME: ClassVar[str] = "format_get_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 104

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FORMAT_GET_REPLY.pack(self.format.pack())
        except (StructError, ValueError) as error:
            raise unsendable("video.format_get_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (format,) = _FORMAT_GET_REPLY.unpack(payload)
            return cls(PictureFormat.unpack(format))
        except (StructError, ValueError) as error:
            raise malformed("video.format_get_reply", error) from None


class _FormatSetFields(NamedTuple):
    """Fields of ``FormatSet``."""

    format: PictureFormat
    """`pixel_format`, `width`, `height`, colour, aspect and rate count; the rest is ignored."""


_FORMAT_SET = Struct("<104s")


class FormatSet(_FormatSetFields):
    """``video.format_set``: Encoder: what pictures will look like; only before the first is queued or a drain is
    asked for (`busy` after). The reply holds the layout the device wants. A decoder refuses with
    `not_supported`. `no_space` with `pixel_rate`: with a rate that large the device has no room for it;
    nothing has changed.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0105
    NAME: ClassVar[str] = "format_set"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 104

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FORMAT_SET.pack(self.format.pack())
        except (StructError, ValueError) as error:
            raise unsendable("video.format_set", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (format,) = _FORMAT_SET.unpack(payload)
            return cls(PictureFormat.unpack(format))
        except (StructError, ValueError) as error:
            raise malformed("video.format_set", error) from None


class _FormatSetReplyFields(NamedTuple):
    """Fields of ``FormatSetReply``."""

    format: PictureFormat
    """With offsets, strides, size and `buffers_min`."""


_FORMAT_SET_REPLY = Struct("<104s")


class FormatSetReply(_FormatSetReplyFields):
    """Reply to ``video.format_set``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0105
    NAME: ClassVar[str] = "format_set_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 104

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FORMAT_SET_REPLY.pack(self.format.pack())
        except (StructError, ValueError) as error:
            raise unsendable("video.format_set_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (format,) = _FORMAT_SET_REPLY.unpack(payload)
            return cls(PictureFormat.unpack(format))
        except (StructError, ValueError) as error:
            raise malformed("video.format_set_reply", error) from None


class _ControlGetFields(NamedTuple):
    """Fields of ``ControlGet``."""

    control: Control
    """Which."""


_CONTROL_GET = Struct("<II")


class ControlGet(_ControlGetFields):
    """``video.control_get``: Reads a control; `no_entry` when the codec has none such."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0106
    NAME: ClassVar[str] = "control_get"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONTROL_GET.pack(self.control, 0)
        except (StructError, ValueError) as error:
            raise unsendable("video.control_get", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            control, reserved0 = _CONTROL_GET.unpack(payload)
            zero(reserved0)
            return cls(Control(control))
        except (StructError, ValueError) as error:
            raise malformed("video.control_get", error) from None


class _ControlGetReplyFields(NamedTuple):
    """Fields of ``ControlGetReply``."""

    value: int
    """Its value."""


_CONTROL_GET_REPLY = Struct("<q")


class ControlGetReply(_ControlGetReplyFields):
    """Reply to ``video.control_get``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0106
    NAME: ClassVar[str] = "control_get_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONTROL_GET_REPLY.pack(self.value)
        except (StructError, ValueError) as error:
            raise unsendable("video.control_get_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (value,) = _CONTROL_GET_REPLY.unpack(payload)
            return cls(value)
        except (StructError, ValueError) as error:
            raise malformed("video.control_get_reply", error) from None


class _ControlSetFields(NamedTuple):
    """Fields of ``ControlSet``."""

    control: Control
    """Which."""
    value: int
    """Its value."""


_CONTROL_SET = Struct("<IIq")


class ControlSet(_ControlSetFields):
    """``video.control_set``: Sets a control. `busy` when the codec takes it only before it starts. `no_space`
    with `pixel_rate`: an encoder's `rate` at the size of its format, or a decoder's at the `samples` that it
    expects, is more than the device has room for; nothing has changed.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0107
    NAME: ClassVar[str] = "control_set"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONTROL_SET.pack(self.control, 0, self.value)
        except (StructError, ValueError) as error:
            raise unsendable("video.control_set", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            control, reserved0, value = _CONTROL_SET.unpack(payload)
            zero(reserved0)
            return cls(Control(control), value)
        except (StructError, ValueError) as error:
            raise malformed("video.control_set", error) from None


class _ControlSetReplyFields(NamedTuple):
    """Fields of ``ControlSetReply``."""

    value: int
    """As the device took it."""


_CONTROL_SET_REPLY = Struct("<q")


class ControlSetReply(_ControlSetReplyFields):
    """Reply to ``video.control_set``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0107
    NAME: ClassVar[str] = "control_set_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONTROL_SET_REPLY.pack(self.value)
        except (StructError, ValueError) as error:
            raise unsendable("video.control_set_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (value,) = _CONTROL_SET_REPLY.unpack(payload)
            return cls(value)
        except (StructError, ValueError) as error:
            raise malformed("video.control_set_reply", error) from None


class _QueueInputFields(NamedTuple):
    """Fields of ``QueueInput``."""

    span: Span
    """Where it lies."""
    cookie: int
    """Comes back in `input_done`. One that an input has already is `busy`."""
    flags: InputFlag
    """Properties."""
    timestamp: int
    """Presentation time in the caller's unit; copied to the output it belongs to. The least value means none."""
    duration: int
    """In the same unit; copied too. 0 means none."""


_QUEUE_INPUT = Struct("<16sIIqq")


class QueueInput(_QueueInputFields):
    """``video.queue_input``: Gives a span to the device: one access unit to a decoder, one picture to an
    encoder. Paid back by `input_done`.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0108
    NAME: ClassVar[str] = "queue_input"
    KIND: ClassVar[Kind] = Kind.POST
    SIZE: ClassVar[int] = 40

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _QUEUE_INPUT.pack(self.span.pack(), self.cookie, self.flags, self.timestamp, self.duration)
        except (StructError, ValueError) as error:
            raise unsendable("video.queue_input", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            span, cookie, flags, timestamp, duration = _QUEUE_INPUT.unpack(payload)
            return cls(Span.unpack(span), cookie, InputFlag(flags), timestamp, duration)
        except (StructError, ValueError) as error:
            raise malformed("video.queue_input", error) from None


class _QueueOutputFields(NamedTuple):
    """Fields of ``QueueOutput``."""

    span: Span
    """Where it lies; not read-only."""
    cookie: int
    """Comes back in `output_ready`. One that an output has already is `busy`, and so is a span that overlaps one
    lent.
    """


_QUEUE_OUTPUT = Struct("<16sII")


class QueueOutput(_QueueOutputFields):
    """``video.queue_output``: Lends a span to the device to write an output into. Paid back by `output_ready`."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0109
    NAME: ClassVar[str] = "queue_output"
    KIND: ClassVar[Kind] = Kind.POST
    SIZE: ClassVar[int] = 24

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _QUEUE_OUTPUT.pack(self.span.pack(), self.cookie, 0)
        except (StructError, ValueError) as error:
            raise unsendable("video.queue_output", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            span, cookie, reserved0 = _QUEUE_OUTPUT.unpack(payload)
            zero(reserved0)
            return cls(Span.unpack(span), cookie)
        except (StructError, ValueError) as error:
            raise malformed("video.queue_output", error) from None


class _DrainFields(NamedTuple):
    """No field of ``Drain``."""


_DRAIN = Struct("<")


class Drain(_DrainFields):
    """``video.drain``: No more input for now: give out all there is, the last with `last`. `busy` while a drain
    is under way. Input queued afterwards starts a new sequence; queued while the drain is under way, it waits
    for its end.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x010A
    NAME: ClassVar[str] = "drain"
    KIND: ClassVar[Kind] = Kind.POST
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DRAIN.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.drain", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DRAIN.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.drain", error) from None


class _FlushFields(NamedTuple):
    """No field of ``Flush``."""


_FLUSH = Struct("<")


class Flush(_FlushFields):
    """``video.flush``: Seek: forget all input that is queued and all pictures not yet given out. Queued inputs
    come back by `input_done` with `cancelled` before the reply; queued outputs stay queued. Ends a drain that
    is under way: no `drained` follows the reply. Until the reply is there the frontend sends nothing but
    `close` for the session.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x010B
    NAME: ClassVar[str] = "flush"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FLUSH.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.flush", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _FLUSH.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.flush", error) from None


class _FlushReplyFields(NamedTuple):
    """No field of ``FlushReply``."""


_FLUSH_REPLY = Struct("<")


class FlushReply(_FlushReplyFields):
    """Reply to ``video.flush``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x010B
    NAME: ClassVar[str] = "flush_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FLUSH_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.flush_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _FLUSH_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.flush_reply", error) from None


class _RecallFields(NamedTuple):
    """No field of ``Recall``."""


_RECALL = Struct("<")


class Recall(_RecallFields):
    """``video.recall``: Gives outputs back: those that hold no picture, nor soon will, come by `output_ready`
    with `cancelled` and no octets needed, before the reply. What the device has begun to fill, or cannot let
    go of, comes in its time.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x010C
    NAME: ClassVar[str] = "recall"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RECALL.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.recall", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _RECALL.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.recall", error) from None


class _RecallReplyFields(NamedTuple):
    """No field of ``RecallReply``."""


_RECALL_REPLY = Struct("<")


class RecallReply(_RecallReplyFields):
    """Reply to ``video.recall``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x010C
    NAME: ClassVar[str] = "recall_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RECALL_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.recall_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _RECALL_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.recall_reply", error) from None


class _InputDoneFields(NamedTuple):
    """Fields of ``InputDone``."""

    cookie: int
    """As queued."""
    error: int
    """0, or an `error` number: `invalid` when the codec could make nothing of it (with several codec threads: or
    of one shortly before it), `cancelled` after a flush.
    """


_INPUT_DONE = Struct("<II")


class InputDone(_InputDoneFields):
    """``video.input_done``: An input span is the domain's again."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0110
    NAME: ClassVar[str] = "input_done"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _INPUT_DONE.pack(self.cookie, self.error)
        except (StructError, ValueError) as error:
            raise unsendable("video.input_done", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            cookie, error = _INPUT_DONE.unpack(payload)
            return cls(cookie, error)
        except (StructError, ValueError) as error:
            raise malformed("video.input_done", error) from None


class _OutputReadyFields(NamedTuple):
    """Fields of ``OutputReady``."""

    cookie: int
    """As queued."""
    flags: OutputFlag
    """Properties."""
    timestamp: int
    """Of the input it came from."""
    decode_timestamp: int
    """Encoder: when a decoder must have it, same unit. Decoder: equal to `timestamp`."""
    duration: int
    """Of the input it came from."""
    generation: int
    """Decoder: of the `source_change` whose layout it has."""
    bytes_used: int
    """Encoder: octets of bit stream. Decoder: the format's size. With `cancelled`: octets that a span must have."""
    picture_type: PictureType
    """How it is coded."""
    crop_left: int
    """First visible column."""
    crop_top: int
    """First visible row."""
    width: int
    """Visible columns."""
    height: int
    """Visible rows."""


_OUTPUT_READY = Struct("<IIqqqIIIIIIII")


class OutputReady(_OutputReadyFields):
    """``video.output_ready``: An output span is the domain's again."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0111
    NAME: ClassVar[str] = "output_ready"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 64

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _OUTPUT_READY.pack(
                self.cookie,
                self.flags,
                self.timestamp,
                self.decode_timestamp,
                self.duration,
                self.generation,
                self.bytes_used,
                self.picture_type,
                self.crop_left,
                self.crop_top,
                self.width,
                self.height,
                0,
            )
        except (StructError, ValueError) as error:
            raise unsendable("video.output_ready", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (
                cookie,
                flags,
                timestamp,
                decode_timestamp,
                duration,
                generation,
                bytes_used,
                picture_type,
                crop_left,
                crop_top,
                width,
                height,
                reserved0,
            ) = _OUTPUT_READY.unpack(payload)
            zero(reserved0)
            return cls(
                cookie,
                OutputFlag(flags),
                timestamp,
                decode_timestamp,
                duration,
                generation,
                bytes_used,
                PictureType(picture_type),
                crop_left,
                crop_top,
                width,
                height,
            )
        except (StructError, ValueError) as error:
            raise malformed("video.output_ready", error) from None


class _SourceChangeFields(NamedTuple):
    """Fields of ``SourceChange``."""

    generation: int
    """Counts up from 1."""
    changes: ChangeFlag
    """What is new."""
    format: PictureFormat
    """The new format."""


_SOURCE_CHANGE = Struct("<II104s")


class SourceChange(_SourceChangeFields):
    """``video.source_change``: Decoder: the stream has met a (new) format. With `buffers` or `count` set, attach
    and queue spans of `format.size`, at least `format.buffers_min` of them, at once: do not wait for the last
    old picture, a codec may want the new spans before it gives that out. Old spans that are too small come
    back `cancelled`; pictures of the old generation may still follow, the last of them with `last`. At most
    one is outstanding per session.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0112
    NAME: ClassVar[str] = "source_change"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 112

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _SOURCE_CHANGE.pack(self.generation, self.changes, self.format.pack())
        except (StructError, ValueError) as error:
            raise unsendable("video.source_change", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            generation, changes, format = _SOURCE_CHANGE.unpack(payload)
            return cls(generation, ChangeFlag(changes), PictureFormat.unpack(format))
        except (StructError, ValueError) as error:
            raise malformed("video.source_change", error) from None


class _DrainedFields(NamedTuple):
    """No field of ``Drained``."""


_DRAINED = Struct("<")


class Drained(_DrainedFields):
    """``video.drained``: The drain is complete: sent after the output with `last`, or alone when no output span
    was there to carry it.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0113
    NAME: ClassVar[str] = "drained"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DRAINED.pack()
        except (StructError, ValueError) as error:
            raise unsendable("video.drained", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DRAINED.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("video.drained", error) from None


class _SessionFailedFields(NamedTuple):
    """Fields of ``SessionFailed``."""

    error: Error
    """Why."""
    limit: Limit
    """The limit, if it was one."""
    allowed: int
    """The limit's value; 0 when there was none."""


_SESSION_FAILED = Struct("<IIQ")


class SessionFailed(_SessionFailedFields):
    """``video.session_failed``: The session is over; all further calls but `close` fail with `io`. `no_space`:
    the device, or the domain's part of it, has no room for the stream at the rate that the decoder has
    declared by its control `rate`; the limit is `pixel_rate`.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0114
    NAME: ClassVar[str] = "session_failed"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _SESSION_FAILED.pack(self.error, self.limit, self.allowed)
        except (StructError, ValueError) as error:
            raise unsendable("video.session_failed", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            error, limit, allowed = _SESSION_FAILED.unpack(payload)
            return cls(Error(error), Limit(limit), allowed)
        except (StructError, ValueError) as error:
            raise malformed("video.session_failed", error) from None


Event: TypeAlias = InputDone | OutputReady | SourceChange | Drained | SessionFailed
"""What is said unasked."""

MESSAGES: dict[int, MessageType] = {
    0x0101: MessageType(0x0101, "capability_query", Kind.CALL, False, CapabilityQuery, CapabilityQueryReply),
    0x0102: MessageType(0x0102, "open", Kind.CALL, False, Open, OpenReply),
    0x0103: MessageType(0x0103, "close", Kind.CALL, False, Close, CloseReply),
    0x0104: MessageType(0x0104, "format_get", Kind.CALL, False, FormatGet, FormatGetReply),
    0x0105: MessageType(0x0105, "format_set", Kind.CALL, False, FormatSet, FormatSetReply),
    0x0106: MessageType(0x0106, "control_get", Kind.CALL, False, ControlGet, ControlGetReply),
    0x0107: MessageType(0x0107, "control_set", Kind.CALL, False, ControlSet, ControlSetReply),
    0x0108: MessageType(0x0108, "queue_input", Kind.POST, False, QueueInput, None),
    0x0109: MessageType(0x0109, "queue_output", Kind.POST, False, QueueOutput, None),
    0x010A: MessageType(0x010A, "drain", Kind.POST, False, Drain, None),
    0x010B: MessageType(0x010B, "flush", Kind.CALL, False, Flush, FlushReply),
    0x010C: MessageType(0x010C, "recall", Kind.CALL, False, Recall, RecallReply),
    0x0110: MessageType(0x0110, "input_done", Kind.EVENT, False, InputDone, None),
    0x0111: MessageType(0x0111, "output_ready", Kind.EVENT, False, OutputReady, None),
    0x0112: MessageType(0x0112, "source_change", Kind.EVENT, False, SourceChange, None),
    0x0113: MessageType(0x0113, "drained", Kind.EVENT, False, Drained, None),
    0x0114: MessageType(0x0114, "session_failed", Kind.EVENT, False, SessionFailed, None),
}
"""Every message of the class by opcode."""
