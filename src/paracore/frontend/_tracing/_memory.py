# SPDX-License-Identifier: Apache-2.0
"""Reads the memory of one trace. Whoever writes it is not trusted: a worker may have been taken over by its domain.

It is read by ``pread`` and never mapped, so that a file which its owner cuts short is an end and no SIGBUS. What
cannot be is thrown away and counted, and so is what was written over before it was read.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from paracore._errors import MessageError, RemoteProtocolError
from paracore.classes import TracePage, TraceRecord
from paracore.protocol import PAGE_SIZE, PROTOCOL_VERSION, TRACE_RECORDS, TRACE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TraceMemory"]

_SIZE: Final = TraceRecord.SIZE
_LEAP: Final = 1 << 32
"""Records that nobody writes between two looks: more is a lie, and not a count of what was lost."""


class TraceMemory:
    """See the module.

    Args:
        descriptor: of the memory; this object's from now on.
        since: what was recorded before, by the monotonic clock in nanoseconds, is of no interest.

    Attributes:
        lost: records that were written over before they were read, or never finished.
        garbage: what cannot be.

    Raises:
        RemoteProtocolError: it is no trace's memory.
    """

    def __init__(self, descriptor: int, *, since: int = 0) -> None:
        self._descriptor = descriptor
        self.lost = self.garbage = 0
        self._unfinished = -1
        self._since = since
        try:
            page = TracePage.unpack(self._read(0, TracePage.SIZE))
        except MessageError as error:
            raise RemoteProtocolError("what should be a trace's memory is none") from error
        if (page.version, page.records) != (PROTOCOL_VERSION, TRACE_RECORDS):
            raise RemoteProtocolError(f"a trace of version {page.version} with {page.records} records")
        self._position = max(0, page.begun - TRACE_RECORDS)

    def close(self) -> None:
        """It is not read any more."""
        os.close(self._descriptor)

    def take(self, *, last: bool = False) -> list[TraceRecord]:
        """What has been recorded since it was read before, in the order of its numbers.

        Args:
            last: it will not be read again: what is not finished by now is lost.
        """
        begun = self._begun()
        if not 0 <= begun - self._position < _LEAP:
            self.garbage += 1
            self._position = begun
            return []
        self._lose_until(begun - TRACE_RECORDS)
        start, octets = self._position, self._records(self._position, begun)
        self._lose_until(min(self._begun() - TRACE_RECORDS, begun))
        return list(self._parsed(memoryview(octets)[(self._position - start) * _SIZE :], begun, last=last))

    def _lose_until(self, number: int) -> None:
        if number > self._position:
            self.lost += number - self._position
            self._position = number

    def _parsed(self, octets: memoryview, begun: int, *, last: bool) -> Iterator[TraceRecord]:
        """As far as they are finished. One that has not been for a whole round never will be: its writer has died."""
        now = time.monotonic_ns()
        for place in range(0, len(octets) - _SIZE + 1, _SIZE):
            record = self._checked(octets[place : place + _SIZE], now)
            if record is None and self._is_unfinished(octets[place : place + _SIZE]):
                if not last and self._unfinished != self._position:
                    self._unfinished = self._position
                    return
                self.lost += 1
            elif record is None:
                self.garbage += 1
            elif record.time >= self._since:
                yield record
            self._position += 1
        self._position = begun

    def _is_unfinished(self, octets: memoryview) -> bool:
        sequence = int.from_bytes(octets[:8], "little")
        return sequence in {0, max(0, self._position + 1 - TRACE_RECORDS)}

    def _checked(self, octets: memoryview, now: int) -> TraceRecord | None:
        try:
            record = TraceRecord.unpack(octets)
        except MessageError:
            return None
        fits = record.sequence == self._position + 1 and 0 < record.time <= now
        return record if fits else None

    # --- octets -----------------------------------------------------------------------------------

    def _begun(self) -> int:
        try:
            return TracePage.unpack(self._read(0, TracePage.SIZE)).begun
        except MessageError:  # of a page that was right before
            return -1

    def _records(self, start: int, end: int) -> bytes:
        first, count = start % TRACE_RECORDS, end - start
        until_wrap = min(count, TRACE_RECORDS - first)
        octets = self._read(PAGE_SIZE + first * _SIZE, until_wrap * _SIZE)
        return octets + self._read(PAGE_SIZE, (count - until_wrap) * _SIZE)

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset) if size and offset + size <= TRACE_SIZE else b""
