# SPDX-License-Identifier: Apache-2.0
"""What a transport leaves to the next program image of the same process, which inherits the descriptors.

Only numbers and names: who may be trusted is asked of the kernel again. Read by the supervisor's next image alone
(``backend._handover``), never by a peer. A number of -1 is no descriptor.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from paracore.protocol import Attachment  # noqa: TC001 - msgspec reads the types

__all__ = [
    "ChannelState",
    "ControlState",
    "EventsState",
    "GrantState",
    "GuestState",
    "ListenerState",
    "MappedState",
    "PortState",
    "ProcessState",
]


class ListenerState(NamedTuple):
    """Where frontends arrive: whoever arrives meanwhile waits there."""

    address: str
    descriptor: int
    lock: int
    """The descriptor that holds the lock of the address: it is never let go of in between."""


class MappedState(NamedTuple):
    """Pages of a guest that somebody has mapped: the descriptor that they come from, and how many they are."""

    descriptor: int
    pages: int


class EventsState(NamedTuple):
    """This end of an event channel, see ``EventChannel``."""

    descriptor_in: int
    descriptor_out: int
    port: int


class GrantState(NamedTuple):
    """One grant and its pages: those that the backend has allocated, or a guest's."""

    number: int
    length: int
    flags: int
    mapped: bool
    descriptor: int
    references: tuple[int, ...] = ()
    """A guest's pages."""
    lent: int = 0
    """How many of them the descriptor is for."""


class ChannelState(NamedTuple):
    """What a worker has of a guest's channel."""

    pages: MappedState
    events: EventsState


class ProcessState(NamedTuple):
    """A process of a guest: it has no socket, and its calls come over the guest's control ring."""

    identity: str
    number: int
    text: str
    call: bytes
    """What it has asked and nobody has served."""
    channel: ChannelState | None


class PortState(NamedTuple):
    """One connection; what the peer has sent and nobody has read is still in it."""

    descriptor: int
    state: str
    """The name of its rules' state."""
    last: int
    """The last grant's number: numbers are not used twice."""
    grants: tuple[GrantState, ...]
    process: ProcessState | None = None

    def descriptors(self) -> list[int]:
        """All that there are."""
        found = [self.descriptor, *(grant.descriptor for grant in self.grants)]
        if self.process and (channel := self.process.channel):
            found += channel.pages.descriptor, channel.events.descriptor_in, channel.events.descriptor_out
        return sorted({each for each in found if each >= 0})

    def without_grants(self) -> PortState:
        """It has none any more: their pages are given back."""
        for grant in self.grants:
            os.close(grant.descriptor)
        return self._replace(grants=())


class ControlState(NamedTuple):
    """The backend's end of a guest's control ring: its pages are mapped anew, its indices go on."""

    order: int
    references: tuple[int, ...]
    events: EventsState
    indices: tuple[int, ...]
    backlog: tuple[bytes, ...]


class GuestState(NamedTuple):
    """A guest's device that is connected. Its processes that have been taken in are handed over as connections."""

    place: tuple[int, int, int]
    """The backend's domain, the frontend's, and the device's index there."""
    attachment: Attachment
    control: ControlState
    ended: tuple[int, ...]
    """Processes that are over, and whose numbers the guest has not given back."""
    arrivals: tuple[PortState, ...]
    """Those that nobody has taken in yet."""

    def descriptors(self) -> list[int]:
        """All that there are."""
        events = self.control.events
        arrived = [each for port in self.arrivals for each in port.descriptors()]
        return sorted({events.descriptor_in, events.descriptor_out, *arrived})
