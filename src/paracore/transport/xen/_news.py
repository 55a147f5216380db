# SPDX-License-Identifier: Apache-2.0
"""Several watches of xenstore, and whatever else happens, as one piece of news: something has changed, look again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paracore.transport.xen._xenstore import Watch, Xenstore

__all__ = ["News"]


class News:
    """See the module. Tells neither what has changed nor how often."""

    def __init__(self, store: Xenstore) -> None:
        self._store = store
        self._watches: dict[str, tuple[Watch, asyncio.Task[None]]] = {}
        self._stirred = asyncio.Event()
        self._end: BaseException | None = None

    async def follow(self, *paths: str) -> None:
        """From now on these paths and no other are watched."""
        for path in self._watches.keys() - set(paths):
            self._leave(path)
        for path in paths:
            if path not in self._watches:
                watch = await self._store.watch(path)
                task = asyncio.get_running_loop().create_task(self._hear(watch))
                self._watches[path] = watch, task

    def stir(self) -> None:
        """There is something to look at."""
        self._stirred.set()

    def clear(self) -> None:
        """Everything is about to be looked at."""
        self._stirred.clear()

    async def wait(self) -> None:
        """Until there is something to look at.

        Raises:
            TransportError: xenstore has gone.
        """
        await self._stirred.wait()
        if self._end:
            raise self._end

    def close(self) -> None:
        """Watches nothing any more."""
        for path in list(self._watches):
            self._leave(path)

    def _leave(self, path: str) -> None:
        watch, task = self._watches.pop(path)
        task.cancel()
        watch.close()

    async def _hear(self, watch: Watch) -> None:
        try:
            async for _ in watch:
                self.stir()
        except Exception as error:  # noqa: BLE001 - kept for whoever waits
            self._end = error
            self.stir()
