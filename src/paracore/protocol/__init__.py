# SPDX-License-Identifier: Apache-2.0
"""The rules of the wire, without a descriptor and without anything but the standard library.

==============  ==============================================================  ======================
``_message``    the header before every message                                 docs/protocol/wire.md
``_ring``       one pair of byte rings, the model of ``native/core``            docs/protocol/ring.md
``_session``    what may follow what in a video session, as a table             docs/protocol/session.md
``_xenbus``     what an end of a Xen device does, as a table                    docs/protocol/xenbus.md
``_nodes``      the nodes of a Xen device, as a table                           docs/protocol/xenbus.md
``_published``  what those nodes say, checked and typed                         docs/protocol/xenbus.md
``_wire``       limits and places, generated                                    specs/paracore.toml
==============  ==============================================================  ======================

The peer is hostile: whatever octets or indices it writes, the functions here either return a value
that keeps the rules or raise ``RemoteProtocolError``.
"""

from __future__ import annotations

from paracore.protocol._message import EVENT, FAILURE, HEADER_SIZE, PAYLOAD_MAX, REPLY, REQUEST, Header, message, split
from paracore.protocol._nodes import NODES
from paracore.protocol._published import (
    Attachment,
    BackendNodes,
    FrontendNodes,
    backend_path,
    device_of_path,
    drain_seconds,
    frontend_path,
)
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
    TRACE_RECORDS,
    TRACE_SIZE,
    MessageFlag,
)
from paracore.protocol._xenbus import (
    XENBUS,
    XENBUS_START,
    XENBUS_STOP,
    End,
    Move,
    XenbusAction,
    XenbusState,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
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
    "NODES",
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
    "TRACE_RECORDS",
    "TRACE_SIZE",
    "XENBUS",
    "XENBUS_START",
    "XENBUS_STOP",
    "Attachment",
    "BackendNodes",
    "Direction",
    "End",
    "FrontendNodes",
    "Header",
    "MessageFlag",
    "Move",
    "Refusal",
    "Ring",
    "Role",
    "State",
    "Step",
    "XenbusAction",
    "XenbusState",
    "advance",
    "backend_path",
    "device_of_path",
    "drain_seconds",
    "format_page",
    "frontend_path",
    "mapping_size",
    "message",
    "split",
    "xenbus_start",
    "xenbus_state",
    "xenbus_step",
    "xenbus_stop",
]
