# SPDX-License-Identifier: Apache-2.0
"""What a worker does when its domain is about to be detached: when its sessions are told, and when it says that they are done.

Sans-I/O. What the domain had put into its rings by then counts as queued: the sessions are told when the rings have been
looked at once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paracore.backend._session import Session

__all__ = ["Farewell"]

_TURNS: Final = 2
"""The one in which the worker was told, and one that begins later."""


class Farewell:
    """See the module. It is asked after each turn of the worker, the first time after that in which the worker was told."""

    def __init__(self) -> None:
        self._turns = 0
        self._said = False

    @property
    def hurries(self) -> bool:
        """The worker must not sleep."""
        return self._turns < _TURNS

    def begins(self) -> bool:
        """Whether the sessions are to be told now; once."""
        self._turns += 1
        return self._turns == _TURNS

    def ends(self, sessions: Iterable[Session]) -> bool:
        """Whether the supervisor is to be told that all has been given out; once."""
        if self.hurries or self._said or not all(session.left for session in sessions):
            return False
        self._said = True
        return True
