# SPDX-License-Identifier: Apache-2.0
"""The rules of the wire, without a descriptor and without anything but the standard library.

=============  ==============================================================  ======================
``_message``   the header before every message                                 docs/protocol/wire.md
``_ring``      one pair of byte rings, the model of ``native/core``            docs/protocol/ring.md
``_session``   what may follow what in a video session, as a table             docs/protocol/session.md
``_wire``      limits and places, generated                                    specs/paracore.toml
=============  ==============================================================  ======================

The peer is hostile: whatever octets or indices it writes, the functions here either return a value
that keeps the rules or raise ``RemoteProtocolError``.
"""

from __future__ import annotations

from paracore.protocol._message import EVENT, FAILURE, HEADER_SIZE, PAYLOAD_MAX, REPLY, REQUEST, Header, message, split
from paracore.protocol._ring import Ring, Role, format_page, mapping_size
from paracore.protocol._session import SESSION, Direction, Refusal, State, Step, advance
from paracore.protocol._wire import (
    BUFFER_MAX,
    DIMENSION_MAX,
    MAGIC,
    MESSAGE_MAX,
    NAME_MAX,
    PAGE_SIZE,
    PLANE_MAX,
    PROTOCOL_VERSION,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    SPAN_ALIGNMENT,
    MessageFlag,
)

__all__ = [
    "BUFFER_MAX",
    "DIMENSION_MAX",
    "EVENT",
    "FAILURE",
    "HEADER_SIZE",
    "MAGIC",
    "MESSAGE_MAX",
    "NAME_MAX",
    "PAGE_SIZE",
    "PAYLOAD_MAX",
    "PLANE_MAX",
    "PROTOCOL_VERSION",
    "REPLY",
    "REQUEST",
    "RING_ORDER_MAX",
    "RING_ORDER_MIN",
    "SESSION",
    "SPAN_ALIGNMENT",
    "Direction",
    "Header",
    "MessageFlag",
    "Refusal",
    "Ring",
    "Role",
    "State",
    "Step",
    "advance",
    "format_page",
    "mapping_size",
    "message",
    "split",
]
