# SPDX-License-Identifier: Apache-2.0
"""Reads a worker's report from its pipe and believes no octet of it.

Too long, too late, of another shape than ``_report`` makes, with other characters than names have: then
there is none.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ReportReader"]

_OCTETS_MAX = 65536
_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,32}$")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class _Session(msgspec.Struct, frozen=True):
    session: _Count
    device: _Word
    codec: _Word
    direction: _Word
    state: _Word
    inputs_queued: _Count
    outputs_queued: _Count
    inputs_done: _Count
    outputs_ready: _Count
    errors: _Count
    octets_in: _Count
    octets_out: _Count
    buffers: _Count
    device_ms: _Count
    waited_ms: _Count
    copies: _Count


class _Channel(msgspec.Struct, frozen=True):
    channel: _Count
    buffers: _Count
    bytes: _Count
    outstanding: _Count
    sessions: list[_Session]


class _Report(msgspec.Struct, frozen=True):
    sessions: _Count
    buffers: _Count
    counts: dict[_Word, _Count]
    loop: dict[_Word, _Count]
    channels: list[_Channel]


class ReportReader:
    """Reads one report and calls `done` once with it, or with None."""

    def __init__(self, done: Callable[[dict[str, Any] | None], None], seconds: float) -> None:
        self._done = done
        self._octets = bytearray()
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._read_end, self._read)
        self._deadline = loop.call_later(seconds, self.finish, None)

    def finish(self, report: dict[str, Any] | None) -> None:
        """Ends the reading, with nothing or with what there is."""
        if self._read_end < 0:
            return
        asyncio.get_running_loop().remove_reader(self._read_end)
        self._deadline.cancel()
        os.close(self._read_end)
        self._read_end = -1
        self._done(report)

    def passed(self) -> None:
        """The worker has its end, or never will."""
        os.close(self.write_end)

    def _read(self) -> None:
        chunk = os.read(self._read_end, _OCTETS_MAX)
        self._octets += chunk
        if len(self._octets) > _OCTETS_MAX:
            self.finish(None)
        elif not chunk:
            self.finish(_parsed(bytes(self._octets)))


def _parsed(octets: bytes) -> dict[str, Any] | None:
    try:
        report: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(octets, type=_Report))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return report
