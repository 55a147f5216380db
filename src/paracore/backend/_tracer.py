# SPDX-License-Identifier: Apache-2.0
"""A worker's side of a trace: where it is recorded, and what only the worker knows of its sessions.

The memory is the supervisor's (``_trace``). It is mapped once and stays so: a thread of a codec may just be at it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from paracore._errors import GrantError
from paracore.classes import TraceEvent
from paracore.protocol import TRACE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paracore.backend._session import Session
    from paracore.drivers import Driver
    from paracore.transport import Loop, Mapping, Pages

__all__ = ["Tracer"]

_log = logging.getLogger("paracore.worker")


class Tracer:
    """See the module."""

    def __init__(self, loop: Loop, pages: Pages, drivers: Iterable[Driver]) -> None:
        self._loop = loop
        self._pages = pages
        self._drivers = list(drivers)
        self._memory: Mapping | None = None

    def begin(self, descriptor: int) -> None:
        """Records from now on."""
        try:
            if self._memory is None:
                self._memory = self._pages.map(descriptor, TRACE_SIZE, read_only=False)
        except GrantError:
            _log.exception("nothing can be traced")
            return
        finally:
            self._pages.close(descriptor)
        self._turn(self._memory.address)

    def end(self) -> None:
        """Records no more."""
        self._turn(0)

    def _turn(self, address: int) -> None:
        self._loop.trace(address)
        for driver in self._drivers:
            driver.trace(address)

    def opened(self, channel: int, session: Session) -> None:
        """A session is there."""
        call = session.call
        what = call.codec << 32 | call.direction
        self._loop.mark(TraceEvent.OPENED, channel, session.number, call.device, 0, what)

    def closed(self, channel: int, session: Session) -> None:
        """It is not any more."""
        self._loop.mark(TraceEvent.CLOSED, channel, session.number, session.call.device, 0)
