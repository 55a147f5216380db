# SPDX-License-Identifier: Apache-2.0
"""The control ring of one device: whole messages between a guest's frontend daemon and the supervisor.

The rings are those of a channel (docs/protocol/ring.md), driven by native/core/ring.c, whose barriers Python
has not; instead of descriptors, messages of class ``bridge`` name granted pages.

Neither side trusts the other. The peer's indices are bounded and its messages copied out before anything
here looks at them; a peer that does not read is found out by a bounded backlog. Nothing here blocks.

Theory of operation. ``receive`` takes the event channel's news, then pops until the ring is empty *and* the
wake-up is armed, and only then shows the room that this made: until it does, the peer cannot have produced
more than one ring holds, which bounds the work of one call. After it any message rings ``fileno`` again.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from paracore._errors import LocalProtocolError, RemoteProtocolError
from paracore._native._core import ffi, lib
from paracore.protocol import HEADER_SIZE, MESSAGE_MAX, Role
from paracore.transport._handover import ControlState
from paracore.transport._wire import WireFull

if TYPE_CHECKING:
    from paracore.transport._transport import Mapping
    from paracore.transport.xen._hypervisor import EventChannel

__all__ = ["CONTROL_RING_ORDER", "ControlRing"]

CONTROL_RING_ORDER: Final = 2
"""8 KiB each way: two of the largest message, or more than a hundred replies."""

_INDICES: Final = ("produced", "published", "consumed", "released", "peer_consumed", "peer_produced")
"""What one end knows of both rings (native/core/include/paracore/ring.h)."""

_BACKLOG_MAX: Final = 16 * MESSAGE_MAX
"""Octets that may wait for room. Bounds what a peer that does not read can make this side hold."""


class ControlRing:
    """One end of the control ring. Takes the mapping and the event channel over.

    Args:
        pages: interface page and ring pages; the frontend has formatted them (``protocol.format_page``)
            before the backend saw them.
        order: log2 of the ring pages, never read from the page.
        role: which end this is.
        events: its event channel.
        adopted: where the last program image was in it; without it the ring is new.
    """

    def __init__(
        self, pages: Mapping, order: int, role: Role, events: EventChannel, adopted: ControlState | None = None
    ) -> None:
        self._ring: Any = ffi.new("struct paracore_ring *")
        address = ffi.cast("void *", pages.address)
        if lib.paracore_ring_attach(self._ring, address, order, int(role)) != 0:
            raise LocalProtocolError(f"a ring order of {order}")
        self._message: Any = ffi.new("uint8_t[]", MESSAGE_MAX)
        self._part: Any = ffi.new("struct iovec *")
        self._backlog: deque[bytes] = deque(adopted.backlog if adopted else ())
        for name, index in zip(_INDICES, adopted.indices if adopted else (), strict=False):
            setattr(self._ring, name, index)
        self._pages = pages
        self._events = events
        lib.paracore_ring_arm(self._ring)

    def hand_over(self, order: int, references: tuple[int, ...]) -> ControlState:
        """What the next program image needs to go on in it. Changes nothing."""
        indices = tuple(getattr(self._ring, name) for name in _INDICES)
        return ControlState(order, references, self._events.hand_over(), indices, tuple(self._backlog))

    def fileno(self) -> int:
        """Polls readable when ``receive`` may have something to do."""
        return self._events.descriptor_in

    def receive(self) -> list[bytes]:
        """All messages that have arrived; at most one ring's worth. Also moves on what waits to be sent.

        Raises:
            RemoteProtocolError: the peer broke the ring; it must not be used any more.
        """
        self._events.drain()
        messages = self._pop_all()
        while not lib.paracore_ring_arm(self._ring):
            if not (more := self._pop_all()):
                raise RemoteProtocolError("a producer index that went back in the control ring")
            messages += more
        self.notify_pending()
        return messages

    def send(self, octets: bytes) -> None:
        """Sends one whole message, now or, while there is no room, when there is.

        Raises:
            WireFull: the peer does not read.
            RemoteProtocolError: the peer broke the ring.
        """
        if not HEADER_SIZE <= len(octets) <= MESSAGE_MAX or len(octets) % 8:
            raise LocalProtocolError(f"a message of {len(octets)} octets")
        if sum(map(len, self._backlog)) + len(octets) > _BACKLOG_MAX:
            raise WireFull("the peer does not read its control ring")
        self._backlog.append(octets)
        self.notify_pending()

    def notify_pending(self) -> None:
        """Moves what waits into the ring as far as it goes, and rings if the peer sleeps."""
        self._push_all()
        rings = (lib.paracore_ring_publish(self._ring), lib.paracore_ring_release(self._ring))
        if any(rings):
            self._events.notify()

    def close(self) -> None:
        """Unmaps and unbinds. Idempotent."""
        self._backlog.clear()
        self._events.close()
        self._pages.close()

    def _pop_all(self) -> list[bytes]:
        messages = []
        while size := lib.paracore_ring_pop(self._ring, self._message):
            if size < 0:
                raise RemoteProtocolError("impossible index or message size in the control ring")
            messages.append(bytes(ffi.buffer(self._message, size)))
        return messages

    def _push_all(self) -> None:
        """Until all is in, or the ring is full and the peer has been told to ring once it is not."""
        while self._backlog and self._goes_in(self._backlog[0]):
            self._backlog.popleft()

    def _goes_in(self, octets: bytes) -> bool:
        # A peer that takes room back after the wake-up was armed only keeps its own messages waiting.
        return self._push(octets) or (not lib.paracore_ring_arm_space(self._ring, len(octets)) and self._push(octets))

    def _push(self, octets: bytes) -> bool:
        self._part.iov_base = held = ffi.from_buffer(octets)
        self._part.iov_len = len(octets)
        code = lib.paracore_ring_push(self._ring, self._part, 1)
        del held  # kept the address valid until here
        if code not in (0, -errno.EAGAIN):
            raise RemoteProtocolError("impossible consumer index in the control ring")
        return bool(code == 0)
