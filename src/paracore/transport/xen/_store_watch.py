# SPDX-License-Identifier: Apache-2.0
"""A watch: which paths have changed since somebody last looked.

Changes of one path between two looks are one, and a writer that changes more paths than ``PATHS_MAX`` is told of
as a change of the watched path itself: what a hostile domain writes costs memory up to there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from paracore._errors import TransportError

__all__ = ["PATHS_MAX", "Watch"]

PATHS_MAX: Final = 1024
"""Paths that wait for being looked at. Bounds what a domain which floods its nodes can make a watcher keep."""


class Watch:
    """Yields changed paths, first of all its own; ends when it is closed, raises when the connection has ended."""

    def __init__(self, path: str, forget: Callable[[], None]) -> None:
        self.path = path
        self._forget = forget
        self._paths: dict[str, None] = {}
        self._news = asyncio.Event()
        self._end: TransportError | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._paths:
            if self._end is not None:
                raise self._end
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        path = next(iter(self._paths))
        del self._paths[path]
        return path

    def take(self) -> tuple[str, ...]:
        """All paths that have changed, without waiting."""
        paths = tuple(self._paths)
        self._paths.clear()
        return paths

    def close(self) -> None:
        """Watches no more; whoever waits for the next path is let go."""
        self._closed = True
        self._paths.clear()
        self._news.set()
        self._forget()

    def changed(self, path: str) -> None:
        """Takes in an event."""
        if len(self._paths) >= PATHS_MAX:
            self._paths.clear()
            path = self.path
        self._paths[path] = None
        self._news.set()

    def lost(self, end: TransportError) -> None:
        """The connection has ended."""
        self._end = end
        self._news.set()
