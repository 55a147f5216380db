# SPDX-License-Identifier: Apache-2.0
"""libparacore in Python's types, for the tests."""

from __future__ import annotations

import os
from typing import Self

from paracore._native._frontend import ffi, lib
from paracore.classes import core, link

SECOND = 10**9

PONG = core.PingReply(7).pack()


class Channel:
    """libparacore in Python's types."""

    def __init__(self, address: str | None, connect_ns: int = 5 * SECOND, **options: int) -> None:
        given = ffi.new("struct paracore_options *")
        given.size = ffi.sizeof("struct paracore_options")
        given.connect_ns = connect_ns
        for name, value in options.items():
            setattr(given, name, value)
        made, reason = ffi.new("struct paracore_channel **"), ffi.new("uint32_t *")
        self.error = lib.paracore_open(address.encode() if address else ffi.NULL, given, made, reason)
        self.reason = link.Refusal(reason[0])
        self.handle = made[0]

    def __enter__(self) -> Self:
        assert self.error == 0, os.strerror(-self.error)
        return self

    def __exit__(self, *_: object) -> None:
        lib.paracore_close(self.handle)

    def call(self, request: object, of: int = 0, room: int = 256, timeout_ns: int = 5 * SECOND) -> bytes | int:
        octets = request.pack()
        answer, size = ffi.new("uint8_t[]", 256), ffi.new("size_t *", room)
        self.failure = ffi.new("struct paracore_failure *")
        error = lib.paracore_call(
            self.handle, request.OPCODE, of, octets, len(octets), answer, size, self.failure, timeout_ns
        )
        return error or bytes(ffi.buffer(answer, size[0]))

    def ping(self, cookie: int = 7, timeout_ns: int = 5 * SECOND) -> bytes | int:
        return self.call(core.Ping(cookie), timeout_ns=timeout_ns)

    def post(self, request: object, of: int = 1, timeout_ns: int = 5 * SECOND) -> int:
        octets, serial = request.pack(), ffi.new("uint32_t *")
        error = lib.paracore_post(self.handle, request.OPCODE, of, octets, len(octets), serial, timeout_ns)
        return error or serial[0]

    def next_event(self, timeout_ns: int = 5 * SECOND) -> tuple[int, int, bytes] | int:
        got = ffi.new("struct paracore_event *")
        status = lib.paracore_next_event(self.handle, got, timeout_ns)
        if status != 1:
            return status
        return got.header.opcode, got.header.object, bytes(ffi.buffer(got.payload))[: got.header.size - 16]

    def buffer(self, length: int, flags: int = 0) -> object:
        made = ffi.new("struct paracore_buffer *")
        self.status = lib.paracore_buffer_create(self.handle, length, flags, made)
        return made

    def destroy(self, buffer: object) -> int:
        return lib.paracore_buffer_destroy(self.handle, buffer)

    def statistics(self) -> object:
        statistics = ffi.new("struct paracore_statistics *")
        lib.paracore_get_statistics(self.handle, statistics)
        return statistics
