# SPDX-License-Identifier: Apache-2.0
"""The time that a guest's streams have to end in order when its device is detached: until they have, or it is over.

It is begun once. The guest is not trusted with it: a program that takes no more pictures, or a guest that is paused, keeps
its device no longer than the toolstack grants.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Draining"]


class Draining:
    """See the module.

    Attributes:
        over: nothing is waited for any more.
        late: not all streams had ended by then.
    """

    def __init__(self, seconds: float, told: Callable[[], None]) -> None:
        """`told` is called once, when it is over."""
        self.over = self.late = False
        self._told = told
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def ended(self) -> None:
        """All streams have."""
        self.close()
        if not self.over:
            self.over = True
            self._told()

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._deadline.cancel()

    def _too_late(self) -> None:
        self.late = not self.over
        self.ended()
