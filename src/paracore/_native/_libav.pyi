# SPDX-License-Identifier: Apache-2.0
# Made by native/bindings/generate.py from paracore/protocol.h, codec.h; do not edit.
# To make it again: python hatch_build.py --stubs
"""libavcodec behind the video class. What a function does stands in its header."""

from typing import Any, Final, TypeAlias, type_check_only

import _cffi_backend

CData: TypeAlias = Any  # cffi names the fields of a struct at run time

@type_check_only
class _Libav:
    PARACORE_COMPLETION_INPUT_DONE: int
    PARACORE_COMPLETION_OUTPUT_READY: int
    PARACORE_COMPLETION_SOURCE_CHANGE: int
    PARACORE_COMPLETION_DRAINED: int
    PARACORE_COMPLETION_FAILED: int
    def paracore_codec_capability(
        self, codec: int, direction: int, pixel_formats: CData, controls: CData, flags: CData, /
    ) -> None: ...
    def paracore_codec_open(self, options: CData, codec: CData, /) -> int: ...
    def paracore_codec_close(self, codec: CData, /) -> None: ...
    def paracore_codec_format_get(self, codec: CData, format: CData, /) -> int: ...
    def paracore_codec_format_set(self, codec: CData, format: CData, /) -> int: ...
    def paracore_codec_control_get(self, codec: CData, control: int, value: CData, /) -> int: ...
    def paracore_codec_control_set(self, codec: CData, control: int, value: CData, /) -> int: ...
    def paracore_codec_queue_input(
        self,
        codec: CData,
        cookie: int,
        address: CData | bytes,
        length: int,
        timestamp: int,
        duration: int,
        flags: int,
        /,
    ) -> int: ...
    def paracore_codec_queue_output(self, codec: CData, cookie: int, address: CData, length: int, /) -> int: ...
    def paracore_codec_drain(self, codec: CData, /) -> int: ...
    def paracore_codec_flush(self, codec: CData, /) -> int: ...
    def paracore_codec_recall(self, codec: CData, /) -> None: ...
    def paracore_codec_holds(self, codec: CData, address: CData | bytes, length: int, /) -> int: ...
    def paracore_codec_completions(self, codec: CData, out: CData, count: int, /) -> int: ...

ffi: Final[_cffi_backend.FFI]
lib: Final[_Libav]
