# SPDX-License-Identifier: Apache-2.0
"""The worker's loop on the Python ring: the rules of native/backend/loop.h in the words of ``protocol``.

For channels whose other end is a thread of this process.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from paracore._errors import MessageError, RemoteProtocolError
from paracore.classes import core, video
from paracore.classes._payload import Kind
from paracore.protocol import HEADER_SIZE, MESSAGE_MAX, REPLY, REQUEST, Header, Ring, Role, mapping_size, message
from paracore.transport._transport import Entry, EntryKind, Loop, LoopStatistics

if TYPE_CHECKING:
    from paracore.transport._transport import ChannelDescriptors, Mapping, Pages

__all__ = ["MemoryLoop"]

_REQUESTS = {**core.MESSAGES, **video.MESSAGES}
_BATCH = 64
_QUANTUM = 4
"""Messages of one channel before the next has its turn."""
_BACKLOG_MAX = 256 * MESSAGE_MAX


class _Channel:
    """One channel: its ring, its doorbells, and what did not fit into the ring."""

    def __init__(self, pages: Pages, ring_order: int, descriptors: ChannelDescriptors) -> None:
        self._pages = pages
        self._mapping: Mapping = pages.map(descriptors.pages, mapping_size(ring_order), read_only=False)
        self._view = self._mapping.view()
        self.ring = Ring(self._view, ring_order, Role.BACKEND)
        self.descriptors = descriptors
        self.backlog: deque[bytes] = deque()
        self.broken = False
        self.pings = 0

    def pop(self) -> bytes | None:
        """The next message for the interpreter; pings are answered on the way."""
        while not self.backlog and (octets := self.ring.pop()):
            header = _checked(octets)
            if header.opcode != core.Ping.OPCODE:
                return octets
            self.pings += 1
            self.send(message(header.opcode, REPLY, header.object, header.serial, octets[HEADER_SIZE:]))
        return None

    def send(self, octets: bytes) -> None:
        if self.backlog or not self.ring.push(octets):
            self.backlog.append(octets)
        if sum(map(len, self.backlog)) > _BACKLOG_MAX:
            raise RemoteProtocolError("more is unread than can have been paid for")

    def publish(self) -> None:
        while self.backlog and self.ring.push(self.backlog[0]):
            self.backlog.popleft()
        rings = (self.ring.publish(), self.ring.release())
        if any(rings):
            os.eventfd_write(self.descriptors.doorbell_out, 1)

    def try_publish(self) -> None:
        """As ``publish``; a peer that has broken its indices is found out by the next ``pop``."""
        with suppress(RemoteProtocolError):
            self.publish()

    def safe_to_sleep(self) -> bool:
        """Asks to be rung, for messages or, while some wait here, for room."""
        if self.backlog:
            return self.ring.arm_space(len(self.backlog[0]))
        return self.ring.arm()

    def close(self) -> None:
        del self.ring
        self._view.release()
        self._mapping.close()
        for descriptor in self.descriptors.passed:
            self._pages.close(descriptor)


class MemoryLoop(Loop):
    """See ``Loop``."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._channels: dict[int, _Channel] = {}
        self._bells: dict[int, _Channel] = {}
        self._tokens: dict[int, int] = {}
        self._poll = select.poll()
        self._counts = dict.fromkeys(LoopStatistics._fields, 0)

    def add(self, channel: int, ring_order: int, descriptors: ChannelDescriptors) -> None:
        added = self._channels[channel] = _Channel(self._pages, ring_order, descriptors)
        self._bells[descriptors.doorbell_in] = added
        self._poll.register(descriptors.doorbell_in, select.POLLIN)

    def remove(self, channel: int) -> None:
        removed = self._channels.pop(channel)
        del self._bells[removed.descriptors.doorbell_in]
        self._poll.unregister(removed.descriptors.doorbell_in)
        removed.close()

    def watch(self, descriptor: int, token: int) -> None:
        self._tokens[descriptor] = token
        self._poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        del self._tokens[descriptor]
        self._poll.unregister(descriptor)

    def wait(self, timeout_ms: int = -1) -> list[Entry]:
        until = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
        entries = self._sleep(0.0) + self._collect()
        while not entries:
            left = None if until is None else max(0.0, until - time.monotonic())
            entries = self._sleep(left if self._safe_to_sleep() else 0.0) + self._collect()
            if left == 0.0:
                break
        return entries

    def send(self, channel: int, message: bytes) -> None:
        self._counts["messages_out"] += 1
        self._channels[channel].send(message)

    def flush(self) -> None:
        for channel in self._channels.values():
            channel.try_publish()

    def statistics(self) -> LoopStatistics:
        pings = sum(channel.pings for channel in self._channels.values())
        return LoopStatistics(**{**self._counts, "native_calls": pings})

    def close(self) -> None:
        for channel in list(self._channels):
            self.remove(channel)

    def _collect(self) -> list[Entry]:
        """A fair share of what each channel has to say."""
        entries: list[Entry] = []
        for number, channel in self._channels.items():
            taken = (self._next(number, channel) for _ in range(_QUANTUM))
            entries += [entry for entry in taken if entry]
        self.flush()
        return entries

    def _next(self, number: int, channel: _Channel) -> Entry | None:
        if channel.broken:
            return None
        try:
            octets = channel.pop()
        except RemoteProtocolError as error:
            channel.broken = True
            self._counts["violations"] += 1
            return Entry(EntryKind.VIOLATION, number, b"", str(error))
        self._counts["messages_in"] += octets is not None
        return None if octets is None else Entry(EntryKind.MESSAGE, number, octets)

    def _safe_to_sleep(self) -> bool:
        safe = [channel.safe_to_sleep() for channel in self._channels.values() if not channel.broken]
        return all(safe)

    def _sleep(self, seconds: float | None) -> list[Entry]:
        """Waits for a doorbell or a watched descriptor; rings of doorbells are taken and forgotten."""
        entries = []
        for descriptor, _ in self._poll.poll(None if seconds is None else seconds * 1000):
            if descriptor in self._bells:
                os.eventfd_read(descriptor)
            else:
                entries.append(Entry(EntryKind.WATCHED, self._tokens[descriptor]))
        return entries


def _checked(octets: bytes) -> Header:
    """What native/core/protocol_table.c checks before a message reaches the interpreter."""
    header = Header.unpack(octets)
    known = _REQUESTS.get(header.opcode)
    if known is None or known.kind is Kind.EVENT or header.flags != REQUEST:
        raise MessageError(f"{header.opcode:#06x} is no call")
    if header.size != HEADER_SIZE + known.request.SIZE:
        raise MessageError(f"{known.name} has {header.size} octets")
    return header
