# SPDX-License-Identifier: Apache-2.0
"""The program of the demo in a domain of the board, given tasks over the board's own line."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from paracore.demo import Tasks
from testbed.domain.agent import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Board

__all__ = ["GuestTasks"]


class GuestTasks(Tasks):
    """See ``Tasks``."""

    def __init__(self, board: Board, domain: str) -> None:
        super().__init__(domain)
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._errors = bytearray()
        self._process = board.start(domain, "python3", "-m", "paracore.demo.domain", receive=self._hear)

    def _hear(self, kind: Kind, octets: bytes) -> None:
        """In the line's own thread."""
        if kind is Kind.ERRORS:
            self._errors += octets
        else:
            self._said.put(octets)

    def _write(self, line: str) -> None:
        self._process.write(line.encode())

    def _lines(self) -> Iterator[str]:
        rest = b""
        while True:
            *lines, rest = (rest + self._next()).split(b"\n")
            if not lines and not self._process.is_running():
                return
            yield from (line.decode() for line in lines)

    def _next(self) -> bytes:
        """Looks up now and then whether the program still runs: its end says nothing."""
        while True:
            try:
                return self._said.get(timeout=0.5)
            except queue.Empty:
                if not self._process.is_running():
                    return b""

    def _last_words(self) -> str:
        lines = self._errors.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "ended without a word"

    def close(self) -> None:
        self._process.close()
