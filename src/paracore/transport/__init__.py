# SPDX-License-Identifier: Apache-2.0
"""How octets, pages and notifications move; one folder per way, with the same files in each.

==============  =====================================================================
``memory``      within one process, for tests
``local``       processes and containers of this Linux
``_transport``  what a transport is
``_link``       the descriptor protocol, for transports whose backend hands out pages
==============  =====================================================================
"""

from __future__ import annotations

from paracore.transport._failure import failure_of
from paracore.transport._transport import (
    Buffer,
    CallRefused,
    ChannelDescriptors,
    Entry,
    EntryKind,
    Event,
    FrontendChannel,
    Host,
    Listener,
    Loop,
    LoopStatistics,
    Mapping,
    Membership,
    Pages,
    Peer,
    Port,
    Refused,
    Transport,
)
from paracore.transport._wire import Packet, SocketWire, Wire, WireFull

__all__ = [
    "Buffer",
    "CallRefused",
    "ChannelDescriptors",
    "Entry",
    "EntryKind",
    "Event",
    "FrontendChannel",
    "Host",
    "Listener",
    "Loop",
    "LoopStatistics",
    "Mapping",
    "Membership",
    "Packet",
    "Pages",
    "Peer",
    "Port",
    "Refused",
    "SocketWire",
    "Transport",
    "Wire",
    "WireFull",
    "failure_of",
]
