# SPDX-License-Identifier: Apache-2.0
"""Users of the guest that have processes here: what bounds each, before the guest's own limits do."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from paracore.transport._rate import BoundedLog, Bucket

__all__ = ["User", "Users"]

_RATE, _RATE_BURST = 1000.0, 512.0
"""Calls of all processes of one user, a second and at once."""
_UNGREETED_MAX: Final = 64
"""Processes of one user that have not been admitted. Bounds what no limit of the guest bounds yet."""


@dataclass(slots=True)
class User:
    """What one user's processes share."""

    number: int
    processes: int = 0
    ungreeted: int = 0
    bucket: Bucket = field(default_factory=lambda: Bucket(_RATE, _RATE_BURST))
    log: BoundedLog = field(default_factory=lambda: BoundedLog(logging.getLogger("paracore.frontend")))


class Users:
    """Those that have a process now; of others nothing is remembered."""

    def __init__(self) -> None:
        self._users: dict[int, User] = {}

    def arrive(self, number: int) -> User | None:
        """A process of that user has come; None when too many of them have said nothing yet."""
        user = self._users.setdefault(number, User(number))
        if user.ungreeted >= _UNGREETED_MAX:
            return None
        user.processes += 1
        user.ungreeted += 1
        return user

    def leave(self, user: User, *, greeted: bool) -> None:
        """Nothing of a process is left."""
        user.processes -= 1
        user.ungreeted -= not greeted
        if not user.processes:
            del self._users[user.number]
