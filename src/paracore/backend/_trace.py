# SPDX-License-Identifier: Apache-2.0
"""A domain's trace in the supervisor: memory that its workers write, and how many connections read it.

The supervisor makes the memory, hands its descriptors out and looks at nothing in it: what a worker writes there is for
whoever asked to judge (docs/protocol/trace.md). There is one memory for each domain at most, however many ask.
"""

from __future__ import annotations

from paracore.classes import TracePage
from paracore.protocol import PROTOCOL_VERSION, TRACE_RECORDS, TRACE_SIZE
from paracore.transport.local._pages import LocalPages

__all__ = ["Trace"]


class Trace:
    """See the module.

    Attributes:
        readers: connections that trace the domain.
        memory: its descriptor, -1 while there is none.
    """

    def __init__(self) -> None:
        self.readers = 0
        self.memory = -1
        self._pages = LocalPages()

    def enter(self) -> int:
        """One more reads it; returns a descriptor for reading only, which is the caller's.

        Raises:
            GrantError: there is no memory for it.
        """
        if self.memory < 0:
            self.memory = self._make()
        descriptor = self._pages.duplicate(self.memory, read_only=True)
        self.readers += 1
        return descriptor

    def leave(self) -> bool:
        """One less; true when it was the last."""
        self.readers -= 1
        return not self.readers

    def rest(self) -> None:
        """There is no worker any more that has the memory: it goes, unless somebody reads it."""
        if self.memory >= 0 and not self.readers:
            self._pages.close(self.memory)
            self.memory = -1

    def _make(self) -> int:
        memory = self._pages.allocate(TRACE_SIZE)
        mapping = self._pages.map(memory, TRACE_SIZE, read_only=False)
        try:
            with mapping.view() as view:
                view[: TracePage.SIZE] = TracePage(PROTOCOL_VERSION, TRACE_RECORDS, 0, 0).pack()
        finally:
            mapping.close()
        return memory
