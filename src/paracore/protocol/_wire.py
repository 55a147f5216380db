# SPDX-License-Identifier: Apache-2.0
"""Constants of the wire: limits, and where the header and the interface page have what.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from enum import STRICT, IntFlag
from struct import Struct
from typing import Final

__all__ = [
    "BUFFER_MAX",
    "DIMENSION_MAX",
    "HEADER",
    "MAGIC",
    "MESSAGE_MAX",
    "NAME_MAX",
    "PAGE_IN_CONS",
    "PAGE_IN_EVENT",
    "PAGE_IN_PROD",
    "PAGE_IN_SPACE_EVENT",
    "PAGE_MAGIC",
    "PAGE_OUT_CONS",
    "PAGE_OUT_EVENT",
    "PAGE_OUT_PROD",
    "PAGE_OUT_SPACE_EVENT",
    "PAGE_RING_ORDER",
    "PAGE_SIZE",
    "PAGE_VERSION",
    "PLANE_MAX",
    "PROTOCOL_VERSION",
    "RING_ORDER_MAX",
    "RING_ORDER_MIN",
    "SPAN_ALIGNMENT",
    "TRACE_RECORDS",
    "TRACE_SIZE",
    "MessageFlag",
]

MAGIC: Final = 0x31524350
"""The first four octets of an interface page."""
PROTOCOL_VERSION: Final = 1
"""The newest version spoken."""
MESSAGE_MAX: Final = 4096
"""Octets of one message with its header. Bounds what a consumer copies out before it looks at anything."""
RING_ORDER_MIN: Final = 2
"""log2 of the ring pages, both directions together. The least that holds two of the largest message each way."""
RING_ORDER_MAX: Final = 8
"""log2 of the ring pages: 512 KiB each way. Bounds the memory one channel pins."""
PAGE_SIZE: Final = 4096
"""Xen's page, whatever the guest's own is. Grants are counted in it."""
PLANE_MAX: Final = 4
"""Planes of one picture."""
DIMENSION_MAX: Final = 16384
"""Width or height of a picture in pixels, the largest that 32-bit plane arithmetic is proven for."""
NAME_MAX: Final = 32
"""Octets of a device or domain name with its terminating zero."""
BUFFER_MAX: Final = 1073741824
"""Octets of one buffer. Bounds the mapping a single call can ask for."""
SPAN_ALIGNMENT: Final = 64
"""A decoder's output span begins at a multiple of this in its buffer: what the widest vector instructions want."""
TRACE_RECORDS: Final = 16384
"""Records that a trace's memory holds. Bounds what tracing takes; those not read before they are written over
are lost, and counted.
"""
TRACE_SIZE: Final = 790528
"""Octets of a trace's memory: a page, and the records."""
PAGE_MAGIC: Final = 0
"""`magic`; written once by the side that allocates the pages."""
PAGE_VERSION: Final = 4
"""Protocol version of this page."""
PAGE_RING_ORDER: Final = 8
"""log2 of the ring pages. Read once, when the channel is connected."""
PAGE_OUT_PROD: Final = 64
"""Written by the frontend: octets produced into `out`."""
PAGE_IN_CONS: Final = 68
"""Written by the frontend: octets consumed from `in`."""
PAGE_IN_EVENT: Final = 72
"""Written by the frontend: notify me once `in_prod` has passed this."""
PAGE_OUT_SPACE_EVENT: Final = 76
"""Written by the frontend: notify me once `out_cons` has passed this."""
PAGE_IN_PROD: Final = 128
"""Written by the backend: octets produced into `in`."""
PAGE_OUT_CONS: Final = 132
"""Written by the backend: octets consumed from `out`."""
PAGE_OUT_EVENT: Final = 136
"""Written by the backend: notify me once `out_prod` has passed this."""
PAGE_IN_SPACE_EVENT: Final = 140
"""Written by the backend: notify me once `in_cons` has passed this."""
HEADER: Final = Struct("<IHHII")
"""Stands before every message, on a ring and on the descriptor socket alike."""


class MessageFlag(IntFlag, boundary=STRICT):
    """Flags of a message header (16 bits)."""

    REPLY = 0x1
    """Answers the call with this serial."""
    ERROR = 0x2
    """With `reply`: the call failed, the payload is `core.failure`."""
    EVENT = 0x4
    """Sent by the backend unasked."""
