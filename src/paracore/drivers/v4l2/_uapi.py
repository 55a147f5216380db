# SPDX-License-Identifier: Apache-2.0
"""What of ``linux/videodev2.h`` this driver uses: layouts, requests, numbers.

For 64-bit Linux, where the layouts are the same on every architecture. Written by hand and held to the
kernel's header by a test, which has a C compiler print every size, offset and number. The package
``linuxpy`` has all of it, but its licence (GPL) is not this project's.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum, IntFlag
from typing import ClassVar, Final

__all__ = [
    "BUFFERS_MAX",
    "PLANES_MAX",
    "Buffer",
    "BufferCapability",
    "BufferFlag",
    "Capability",
    "CodecCommand",
    "Command",
    "Control",
    "ControlFlag",
    "ControlId",
    "ControlQuery",
    "CreateBuffers",
    "Event",
    "EventSubscription",
    "EventType",
    "Format",
    "FormatDescription",
    "FormatFlag",
    "FrameSize",
    "FrameSizeType",
    "Memory",
    "NodeCapability",
    "PixFormat",
    "PixFormatPlanes",
    "Plane",
    "PlanePixFormat",
    "QueueType",
    "Request",
    "RequestBuffers",
    "Selection",
    "StreamParameters",
    "Structure",
    "Target",
]

PLANES_MAX: Final = 8
"""VIDEO_MAX_PLANES"""
BUFFERS_MAX: Final = 32
"""VIDEO_MAX_FRAME"""

# --- layouts --------------------------------------------------------------------------------------------


class Structure(ctypes.Structure):
    """A struct of the header, by the name ``C`` there."""

    C: ClassVar[str]


class Capability(Structure):
    C = "v4l2_capability"
    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(Structure):
    C = "v4l2_fmtdesc"
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class PixFormat(Structure):
    C = "v4l2_pix_format"
    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    )


class PlanePixFormat(Structure):
    C = "v4l2_plane_pix_format"
    _pack_ = 1
    _fields_ = (("sizeimage", c_uint32), ("bytesperline", c_uint32), ("reserved", c_uint16 * 6))


class PixFormatPlanes(Structure):
    C = "v4l2_pix_format_mplane"
    _pack_ = 1
    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("colorspace", c_uint32),
        ("plane_fmt", PlanePixFormat * PLANES_MAX),
        ("num_planes", c_uint8),
        ("flags", c_uint8),
        ("ycbcr_enc", c_uint8),
        ("quantization", c_uint8),
        ("xfer_func", c_uint8),
        ("reserved", c_uint8 * 7),
    )


class _FormatUnion(ctypes.Union):
    # An arm that is not here holds a pointer: it aligns the union to eight octets.
    _fields_ = (("pix", PixFormat), ("pix_mp", PixFormatPlanes), ("raw_data", c_uint8 * 200), ("pointer", c_uint64))


class Format(Structure):
    C = "v4l2_format"
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class RequestBuffers(Structure):
    C = "v4l2_requestbuffers"
    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class CreateBuffers(Structure):
    C = "v4l2_create_buffers"
    _fields_ = (
        ("index", c_uint32),
        ("count", c_uint32),
        ("memory", c_uint32),
        ("format", Format),
        ("capabilities", c_uint32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 6),
    )


class _PlaneUnion(ctypes.Union):
    _fields_ = (("mem_offset", c_uint32), ("userptr", c_uint64))


class Plane(Structure):
    C = "v4l2_plane"
    _fields_ = (
        ("bytesused", c_uint32),
        ("length", c_uint32),
        ("m", _PlaneUnion),
        ("data_offset", c_uint32),
        ("reserved", c_uint32 * 11),
    )


class _BufferUnion(ctypes.Union):
    _fields_ = (("offset", c_uint32), ("userptr", c_uint64), ("planes", c_uint64))


class _Time(ctypes.Structure):
    _fields_ = (("tv_sec", c_int64), ("tv_usec", c_int64))


class Buffer(Structure):
    C = "v4l2_buffer"
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("timestamp", _Time),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _BufferUnion),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class _EventUnion(ctypes.Union):
    # ``changes`` is that of v4l2_event_src_change; an arm that is not here holds a 64-bit number.
    _fields_ = (("changes", c_uint32), ("data", c_uint8 * 64), ("number", c_uint64))


class Event(Structure):
    C = "v4l2_event"
    _fields_ = (
        ("type", c_uint32),
        ("u", _EventUnion),
        ("pending", c_uint32),
        ("sequence", c_uint32),
        ("timestamp", _Time),
        ("id", c_uint32),
        ("reserved", c_uint32 * 8),
    )


class EventSubscription(Structure):
    C = "v4l2_event_subscription"
    _fields_ = (("type", c_uint32), ("id", c_uint32), ("flags", c_uint32), ("reserved", c_uint32 * 5))


class _Rectangle(ctypes.Structure):
    _fields_ = (("left", c_int32), ("top", c_int32), ("width", c_uint32), ("height", c_uint32))


class Selection(Structure):
    C = "v4l2_selection"
    _fields_ = (
        ("type", c_uint32),
        ("target", c_uint32),
        ("flags", c_uint32),
        ("r", _Rectangle),
        ("reserved", c_uint32 * 9),
    )


class Control(Structure):
    C = "v4l2_control"
    _fields_ = (("id", c_uint32), ("value", c_int32))


class ControlQuery(Structure):
    C = "v4l2_queryctrl"
    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class _Discrete(ctypes.Structure):
    _fields_ = (("width", c_uint32), ("height", c_uint32))


class _Stepwise(ctypes.Structure):
    _fields_ = (
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("step_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
        ("step_height", c_uint32),
    )


class _FrameSizeUnion(ctypes.Union):
    _fields_ = (("discrete", _Discrete), ("stepwise", _Stepwise))


class FrameSize(Structure):
    C = "v4l2_frmsizeenum"
    _anonymous_ = ("size",)
    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("size", _FrameSizeUnion),
        ("reserved", c_uint32 * 2),
    )


class _Fraction(ctypes.Structure):
    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class _Output(ctypes.Structure):
    _fields_ = (("capability", c_uint32), ("outputmode", c_uint32), ("timeperframe", _Fraction))


class _ParametersUnion(ctypes.Union):
    _fields_ = (("output", _Output), ("raw_data", c_uint8 * 200))


class StreamParameters(Structure):
    C = "v4l2_streamparm"
    _fields_ = (("type", c_uint32), ("parm", _ParametersUnion))


class CodecCommand(Structure):
    """Of a decoder; an encoder's is its beginning."""

    C = "v4l2_decoder_cmd"
    _fields_ = (("cmd", c_uint32), ("flags", c_uint32), ("raw", c_uint64 * 8))


class _EncoderCommand(Structure):
    C = "v4l2_encoder_cmd"
    _fields_ = (("cmd", c_uint32), ("flags", c_uint32), ("raw", c_uint32 * 8))


# --- requests, by their names behind VIDIOC_ -----------------------------------------------------------

_WRITE, _READ = 1, 2
_BOTH = _WRITE | _READ


def _request(direction: int, number: int, size: int) -> int:
    """``_IOC`` of asm-generic/ioctl.h."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


class Request(IntEnum):
    QUERYCAP = _request(_READ, 0, ctypes.sizeof(Capability))
    ENUM_FMT = _request(_BOTH, 2, ctypes.sizeof(FormatDescription))
    G_FMT = _request(_BOTH, 4, ctypes.sizeof(Format))
    S_FMT = _request(_BOTH, 5, ctypes.sizeof(Format))
    REQBUFS = _request(_BOTH, 8, ctypes.sizeof(RequestBuffers))
    QUERYBUF = _request(_BOTH, 9, ctypes.sizeof(Buffer))
    QBUF = _request(_BOTH, 15, ctypes.sizeof(Buffer))
    DQBUF = _request(_BOTH, 17, ctypes.sizeof(Buffer))
    STREAMON = _request(_WRITE, 18, ctypes.sizeof(c_int32))
    STREAMOFF = _request(_WRITE, 19, ctypes.sizeof(c_int32))
    S_PARM = _request(_BOTH, 22, ctypes.sizeof(StreamParameters))
    G_CTRL = _request(_BOTH, 27, ctypes.sizeof(Control))
    S_CTRL = _request(_BOTH, 28, ctypes.sizeof(Control))
    QUERYCTRL = _request(_BOTH, 36, ctypes.sizeof(ControlQuery))
    ENUM_FRAMESIZES = _request(_BOTH, 74, ctypes.sizeof(FrameSize))
    CREATE_BUFS = _request(_BOTH, 92, ctypes.sizeof(CreateBuffers))
    ENCODER_CMD = _request(_BOTH, 77, ctypes.sizeof(_EncoderCommand))
    DQEVENT = _request(_READ, 89, ctypes.sizeof(Event))
    SUBSCRIBE_EVENT = _request(_WRITE, 90, ctypes.sizeof(EventSubscription))
    G_SELECTION = _request(_BOTH, 94, ctypes.sizeof(Selection))
    S_SELECTION = _request(_BOTH, 95, ctypes.sizeof(Selection))
    DECODER_CMD = _request(_BOTH, 96, ctypes.sizeof(CodecCommand))


# --- numbers, by their names behind what each class says ---------------------------------------------------


class QueueType(IntEnum):
    """Behind V4L2_BUF_TYPE_: the side of a node; OUTPUT goes into the codec, CAPTURE comes out."""

    VIDEO_CAPTURE = 1
    VIDEO_OUTPUT = 2
    VIDEO_CAPTURE_MPLANE = 9
    VIDEO_OUTPUT_MPLANE = 10


class Memory(IntEnum):
    """Behind V4L2_MEMORY_."""

    MMAP = 1
    USERPTR = 2


class NodeCapability(IntFlag):
    """Behind V4L2_CAP_."""

    VIDEO_M2M_MPLANE = 0x4000
    VIDEO_M2M = 0x8000
    STREAMING = 0x04000000
    DEVICE_CAPS = 0x80000000


class BufferCapability(IntFlag):
    """Behind V4L2_BUF_CAP_."""

    SUPPORTS_MMAP = 1
    SUPPORTS_USERPTR = 2


class FormatFlag(IntFlag):
    """Behind V4L2_FMT_FLAG_."""

    COMPRESSED = 1
    EMULATED = 2
    DYN_RESOLUTION = 8


class BufferFlag(IntFlag):
    """Behind V4L2_BUF_FLAG_."""

    KEYFRAME = 0x8
    PFRAME = 0x10
    BFRAME = 0x20
    ERROR = 0x40
    LAST = 0x100000


class EventType(IntEnum):
    """Behind V4L2_EVENT_."""

    SOURCE_CHANGE = 5


class Target(IntEnum):
    """Behind V4L2_SEL_TGT_."""

    CROP = 0
    COMPOSE = 0x100


class Command(IntEnum):
    """Behind V4L2_DEC_CMD_, and the same behind V4L2_ENC_CMD_."""

    START = 0
    STOP = 1


class FrameSizeType(IntEnum):
    """Behind V4L2_FRMSIZE_TYPE_."""

    DISCRETE = 1
    CONTINUOUS = 2
    STEPWISE = 3


class ControlFlag(IntFlag):
    """Behind V4L2_CTRL_FLAG_."""

    DISABLED = 1
    READ_ONLY = 4


class ControlId(IntEnum):
    """Behind V4L2_CID_."""

    MIN_BUFFERS_FOR_CAPTURE = 0x980927
    MIN_BUFFERS_FOR_OUTPUT = 0x980928
    MPEG_VIDEO_B_FRAMES = 0x9909CA
    MPEG_VIDEO_GOP_SIZE = 0x9909CB
    MPEG_VIDEO_BITRATE = 0x9909CF
    MPEG_VIDEO_FRAME_RC_ENABLE = 0x9909D7
    MPEG_VIDEO_HEADER_MODE = 0x9909D8
    MPEG_VIDEO_FORCE_KEY_FRAME = 0x9909E5
    FWHT_I_FRAME_QP = 0x990A22
    FWHT_P_FRAME_QP = 0x990A23
    MPEG_VIDEO_PREPEND_SPSPPS_TO_IDR = 0x990B84
