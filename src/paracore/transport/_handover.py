# SPDX-License-Identifier: Apache-2.0
"""What a transport leaves to the next program image of the same process, which inherits the descriptors.

Only numbers and names: who may be trusted is asked of the kernel again. Read by the supervisor's next image alone
(``backend._handover``), never by a peer.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["GrantState", "ListenerState", "PortState"]


class ListenerState(NamedTuple):
    """Where frontends arrive: whoever arrives meanwhile waits there."""

    address: str
    descriptor: int
    lock: int
    """The descriptor that holds the lock of the address: it is never let go of in between."""


class GrantState(NamedTuple):
    """One grant and its pages."""

    number: int
    length: int
    flags: int
    mapped: bool
    descriptor: int


class PortState(NamedTuple):
    """One connection; what the peer has sent and nobody has read is still in it."""

    descriptor: int
    state: str
    """The name of its rules' state."""
    last: int
    """The last grant's number: numbers are not used twice."""
    grants: tuple[GrantState, ...]

    def without_grants(self) -> PortState:
        """It has none any more: their pages are given back."""
        for grant in self.grants:
            os.close(grant.descriptor)
        return self._replace(grants=())
