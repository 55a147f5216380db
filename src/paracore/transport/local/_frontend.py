# SPDX-License-Identifier: Apache-2.0
"""A process's own end on the local transport: libparacore (paracore.h), for Python."""

from __future__ import annotations

import errno
import math
import os
from typing import Any, NoReturn

from paracore._errors import (
    PermissionRefused,
    RemoteProtocolError,
    StateError,
    TransportBroken,
    TransportClosed,
    TransportError,
)
from paracore._native._frontend import ffi, lib
from paracore.classes import link
from paracore.protocol import PAYLOAD_MAX
from paracore.transport._transport import Buffer, CallRefused, Event, FrontendChannel, Refused

__all__ = ["LocalFrontendChannel"]


class LocalBuffer(Buffer):
    """See ``Buffer``."""

    def __init__(self, channel: LocalFrontendChannel, length: int, flags: link.BufferFlag) -> None:
        self._channel = channel
        buffer: Any = ffi.new("struct paracore_buffer *")
        self._buffer = buffer
        failure: Any = ffi.new("struct paracore_failure *")
        code = lib.paracore_buffer_create(channel.handle, length, flags, self._buffer)
        lib.paracore_get_failure(channel.handle, failure)
        channel.check(code, failure if code == -failure.error else None)
        self.id = self._buffer.id
        self.grant = self._buffer.grant
        self.length = self._buffer.length

    def view(self) -> memoryview:
        return memoryview(ffi.buffer(self._buffer.address, self.length)).cast("B")

    def close(self) -> None:
        if not self.id:
            return
        if lib.paracore_buffer_destroy(self._channel.handle, self._buffer) == -errno.EBUSY:
            raise StateError("in use by the backend", "given back")
        self.id = 0


class LocalFrontendChannel(FrontendChannel):
    """See ``FrontendChannel``."""

    def __init__(self, address: str, *, timeout: float = 10.0, ring_order: int = 0, spin_ns: int = 0) -> None:
        options: Any = ffi.new("struct paracore_options *")
        options.size = ffi.sizeof("struct paracore_options")
        options.ring_order = ring_order
        options.spin_ns = spin_ns
        options.connect_ns = _nanoseconds(timeout)
        made = ffi.new("struct paracore_channel **")
        reason = ffi.new("uint32_t *")
        code = lib.paracore_open(address.encode(), options, made, reason)
        if code < 0:
            _raise_open(address, code, reason[0])
        self.handle = made[0]
        name: Any = ffi.string(lib.paracore_domain(self.handle))
        self.domain = name.decode()

    def fileno(self) -> int:
        return lib.paracore_fd(self.handle)

    def call(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> bytes:  # noqa: A002
        reply = ffi.new("uint8_t[]", PAYLOAD_MAX)
        size = ffi.new("size_t *", PAYLOAD_MAX)
        failure = ffi.new("struct paracore_failure *")
        self.check(
            lib.paracore_call(
                self.handle, opcode, object, payload, len(payload), reply, size, failure, _nanoseconds(timeout)
            ),
            failure,
        )
        return bytes(ffi.buffer(reply, size[0]))

    def post(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> int:  # noqa: A002
        serial = ffi.new("uint32_t *")
        self.check(lib.paracore_post(self.handle, opcode, object, payload, len(payload), serial, _nanoseconds(timeout)))
        number: int = serial[0]
        return number

    def flush(self) -> None:
        self.check(lib.paracore_flush(self.handle))

    def next_event(self, timeout: float = 0.0) -> Event | None:
        event: Any = ffi.new("struct paracore_event *")
        if not self.check(lib.paracore_next_event(self.handle, event, _nanoseconds(timeout))):
            return None
        length = event.header.size - ffi.sizeof("struct paracore_message_header")
        return Event(event.header.opcode, event.header.object, bytes(ffi.buffer(event.payload, length)))

    def buffer(self, length: int, flags: link.BufferFlag) -> Buffer:
        return LocalBuffer(self, length, flags)

    def goodbye(self) -> link.Refusal:
        return link.Refusal(lib.paracore_goodbye(self.handle))

    def close(self) -> None:
        if self.handle:
            lib.paracore_close(self.handle)
            self.handle = ffi.NULL

    def check(self, code: int, failure: Any = None) -> int:
        """Raises what a negative result of libparacore means."""
        if code >= 0:
            return code
        if failure and failure.error:
            error, limit = link.Error(failure.error), link.Limit(failure.limit)
            raise CallRefused(link.Failure(error, limit, failure.allowed))
        return _raise(code)


_ERRORS: dict[int, type[Exception]] = {
    errno.EPIPE: TransportBroken,
    errno.EPROTO: RemoteProtocolError,
    errno.ECANCELED: TransportClosed,
    errno.ETIMEDOUT: TimeoutError,
}


def _raise(code: int) -> NoReturn:
    if -code in _ERRORS:
        raise _ERRORS[-code](os.strerror(-code))
    try:
        error = link.Error(-code)
    except ValueError:
        raise TransportError(os.strerror(-code)) from None
    raise CallRefused(link.Failure(error, link.Limit.NONE, 0))


def _raise_open(address: str, code: int, reason: int) -> NoReturn:
    if reason:
        raise Refused(link.Refusal(reason))
    if -code == errno.EACCES:
        raise PermissionRefused(f"{address}: {os.strerror(-code)}")
    if -code in (errno.ENOENT, errno.ECONNREFUSED):
        raise TransportError(f"no backend serves {address}")
    _raise(code)


def _nanoseconds(seconds: float) -> int:
    return lib.PARACORE_FOREVER if math.isinf(seconds) else int(seconds * 1e9)
