# SPDX-License-Identifier: Apache-2.0
"""Reads a worker's report from its pipe and believes no octet of it.

Too long, too late, of another shape than ``_report_rows`` has, with other characters than names have: then
there is none.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import msgspec

from paracore.backend._report_rows import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._report_rows import ChannelRow

__all__ = ["ReportReader"]

_OCTETS_MAX = 65536


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
        report = msgspec.json.decode(octets, type=Report)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return msgspec.structs.asdict(report) | {"channels": [_named(channel) for channel in report.channels]}


def _named(channel: ChannelRow) -> dict[str, Any]:
    return channel._asdict() | {"sessions": [session._asdict() for session in channel.sessions]}
