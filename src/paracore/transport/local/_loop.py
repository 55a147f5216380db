# SPDX-License-Identifier: Apache-2.0
"""The worker's loop in C (native/backend/loop.c), for Python."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from paracore._errors import RemoteProtocolError, TransportError
from paracore._native._core import ffi, lib
from paracore.transport._transport import ChannelDescriptors, Entry, EntryKind, Loop, LoopStatistics

if TYPE_CHECKING:
    from paracore.classes import TraceEvent

__all__ = ["LocalLoop"]

_BATCH = 64
_MESSAGE = int(EntryKind.MESSAGE)


class LocalLoop(Loop):
    """See ``Loop``. `spin_ns` is how long it looks on for messages before it sleeps."""

    def __init__(self, spin_ns: int = 0) -> None:
        made = ffi.new("struct paracore_loop **")
        _check(lib.paracore_loop_create(spin_ns, made), "made")
        self._loop = made[0]
        self._entries = ffi.new("struct paracore_entry[]", _BATCH)

    def add(self, channel: int, ring_order: int, descriptors: ChannelDescriptors) -> None:
        _check(lib.paracore_loop_channel_add(self._loop, channel, ring_order, *descriptors), "given a channel")

    def remove(self, channel: int) -> None:
        _check(lib.paracore_loop_channel_remove(self._loop, channel), "rid of a channel")

    def watch(self, descriptor: int, token: int) -> None:
        _check(lib.paracore_loop_watch(self._loop, descriptor, token), "given a descriptor")

    def unwatch(self, descriptor: int) -> None:
        _check(lib.paracore_loop_unwatch(self._loop, descriptor), "rid of a descriptor")

    def wait(self, timeout_ms: int = -1) -> list[Entry]:
        count = lib.paracore_loop_wait(self._loop, self._entries, _BATCH, timeout_ms)
        if count < 0:
            if count == -errno.EINTR:
                return []
            _check(count, "waited for")
        return [_entry(self._entries[index]) for index in range(count)]

    def send(self, channel: int, message: bytes) -> None:
        code = lib.paracore_loop_send(self._loop, channel, message, len(message))
        if code == -errno.ENOBUFS:
            raise RemoteProtocolError("more is unread than can have been paid for")
        _check(code, "given a message")

    def flush(self) -> None:
        lib.paracore_loop_flush(self._loop)

    def statistics(self) -> LoopStatistics:
        counts: Any = ffi.new("struct paracore_loop_statistics *")
        lib.paracore_loop_statistics(self._loop, counts)
        return LoopStatistics(*(getattr(counts, name) for name in LoopStatistics._fields))

    def trace(self, address: int) -> None:
        lib.paracore_trace_begin(ffi.cast("void *", address))

    def mark(  # noqa: PLR0917 - a record's fields
        self, event: TraceEvent, channel: int, session: int, cookie: int, timestamp: int, value: int = 0
    ) -> None:
        lib.paracore_trace_mark(event, channel, session, cookie, timestamp, value)

    def close(self) -> None:
        lib.paracore_loop_destroy(self._loop)
        self._loop = ffi.NULL


def _entry(entry: Any) -> Entry:
    if entry.kind == _MESSAGE:
        # The loop's own memory, until the next wait: a private copy already, and this one outlives it.
        return Entry(_MESSAGE, entry.channel, bytes(ffi.buffer(entry.message, entry.size)))
    reason = _text(entry.reason) if entry.reason else ""
    return Entry(entry.kind, entry.channel, b"", reason)


def _text(octets: Any) -> str:
    text = ffi.string(octets)
    assert isinstance(text, bytes)
    return text.decode()


def _check(code: int, what: str) -> None:
    if code < 0:
        raise TransportError(f"the loop could not be {what}: {os.strerror(-code)}")
