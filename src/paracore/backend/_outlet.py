# SPDX-License-Identifier: Apache-2.0
"""What a channel needs of its worker, and nothing else of it: so that a test can stand in for the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._channel import Channel
    from paracore.backend._gate import UnitGate
    from paracore.backend._session import Session
    from paracore.classes import core, video
    from paracore.transport import Mapping

__all__ = ["Outlet"]


class Outlet(Protocol):
    """See the module."""

    def send(self, channel: int, octets: bytes) -> None:
        """One message to the domain."""

    def map(self, channel: int, request: core.BufferAttach, answer: Callable[[Mapping | video.Failure], None]) -> None:
        """Asks the supervisor for a grant; `answer` is called later, unless the channel has gone."""

    def reserve(
        self, channel: int, session: Session, rate: int, answer: Callable[[video.Failure | None], None]
    ) -> None:
        """Asks the supervisor for so much of the session's device; `answer` is called later, unless the channel has gone."""

    def paced(self, session: Session) -> None:
        """A session has declared another rate."""

    def at(self, device: int) -> None:
        """Tells the supervisor, if it does not know: the next call of a device's driver may be one that does not come back."""

    def gate(self, device: int) -> UnitGate | None:
        """What stands before the sessions of a device; None: its driver has a gate of its own."""

    def unmapped(self, channel: int, grant: int) -> None:
        """Tells the supervisor that a grant is free."""

    def watch(self, channel: Channel, session: Session) -> None:
        """Calls ``channel.pump(session)`` while the session's descriptor is readable."""

    def unwatch(self, session: Session) -> None: ...
