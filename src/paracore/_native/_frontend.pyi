# SPDX-License-Identifier: Apache-2.0
# Made by native/bindings/generate.py from paracore/protocol.h, paracore/paracore.h; do not edit.
# To make it again: python hatch_build.py --stubs
"""libparacore. What a function does stands in its header."""

from typing import Any, Final, TypeAlias, type_check_only

import _cffi_backend

CData: TypeAlias = Any  # cffi names the fields of a struct at run time

@type_check_only
class _Frontend:
    PARACORE_DEFAULT_SOCKET: CData
    PARACORE_FOREVER: int
    def paracore_open(self, address: CData | bytes, options: CData, channel: CData, reason: CData, /) -> int: ...
    def paracore_close(self, channel: CData, /) -> None: ...
    def paracore_fd(self, channel: CData, /) -> int: ...
    def paracore_arm(self, channel: CData, /) -> int: ...
    def paracore_domain(self, channel: CData, /) -> CData: ...
    def paracore_call(
        self,
        channel: CData,
        opcode: int,
        object: int,
        request: CData | bytes,
        request_size: int,
        reply: CData,
        reply_size: CData,
        failure: CData,
        timeout_ns: int,
        /,
    ) -> int: ...
    def paracore_post(
        self,
        channel: CData,
        opcode: int,
        object: int,
        request: CData | bytes,
        request_size: int,
        serial: CData,
        timeout_ns: int,
        /,
    ) -> int: ...
    def paracore_flush(self, channel: CData, /) -> int: ...
    def paracore_next_event(self, channel: CData, event: CData, timeout_ns: int, /) -> int: ...
    def paracore_buffer_create(self, channel: CData, length: int, flags: int, buffer: CData, /) -> int: ...
    def paracore_buffer_create_open(
        self, channel: CData, length: int, flags: int, buffer: CData, fd: CData, /
    ) -> int: ...
    def paracore_get_failure(self, channel: CData, failure: CData, /) -> None: ...
    def paracore_buffer_destroy(self, channel: CData, buffer: CData, /) -> int: ...
    def paracore_buffer_leave(self, channel: CData, buffer: CData, /) -> int: ...
    def paracore_goodbye(self, channel: CData, /) -> int: ...
    def paracore_refusal_text(self, reason: int, /) -> CData: ...
    def paracore_version(self) -> CData: ...
    def paracore_get_statistics(self, channel: CData, statistics: CData, /) -> None: ...

ffi: Final[_cffi_backend.FFI]
lib: Final[_Frontend]
