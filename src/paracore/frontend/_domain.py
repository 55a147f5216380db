# SPDX-License-Identifier: Apache-2.0
"""A domain's way in: one channel to the backend and the devices behind it."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from paracore.frontend._capability import query_devices, query_limits
from paracore.frontend._channels import Channels
from paracore.frontend._device import Device

if TYPE_CHECKING:
    import os

    from paracore.classes import core
    from paracore.frontend._channel import Statistics
    from paracore.frontend._channels import OnLoss
    from paracore.frontend._decoder import Decoder
    from paracore.frontend._encoder import Encoder

__all__ = ["Domain", "open"]


def open(  # noqa: A001 - read as paracore.open
    address: str | os.PathLike[str] | None = None,
    *,
    spin: float = 0.0,
    timeout: float = 10.0,
    on_loss: OnLoss = "recover",
) -> Domain:
    """Opens a channel to the backend.

    Args:
        address: its Unix socket; None means ``$PARACORE_SOCKET``, else ``/run/paracore/paracore.sock``.
        spin: seconds that a waiting call spins before it sleeps; more is faster and costs a processor.
        timeout: seconds that opening may take.
        on_loss: what decoders and encoders do when their worker dies or the backend is started again: ``"recover"``
            goes on with another one, ``"fail"`` ends them with ``DeviceLost`` or ``TransportError`` at once.

    Raises:
        TransportError: nothing listens there, or it does not answer.
        PermissionRefused: the backend's policy knows no domain for this process.
        QuotaExceeded: the domain has as many channels as it may.
    """
    return Domain(Channels(address, spin=spin, timeout=timeout, on_loss=on_loss))


class Domain:
    """This process's channel, or one after another, as the domain that the backend knows it by. A context manager.

    Its sessions may be used from several threads, each session by one at a time.

    Attributes:
        name: by which the backend knows the domain.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._sessions: WeakSet[Decoder | Encoder] = WeakSet()
        self.name: str = channels.current.domain

    @cached_property
    def devices(self) -> dict[str, Device]:
        """The devices that this domain may use, by name."""
        facts = self._channels.ask(query_devices)
        return {name: Device(self._channels, each, self.limits, self._sessions.add) for name, each in facts.items()}

    @cached_property
    def limits(self) -> core.LimitsQueryReply:
        """What the backend's configuration allows this domain."""
        return self._channels.ask(query_limits)

    def statistics(self) -> Statistics:
        """Counts since the channel was opened, which is the last one if others have been lost."""
        channel = self._channels.current
        if channel.littered:
            channel.reap()
        return channel.statistics()

    def close(self) -> None:
        """Ends all sessions. Pictures that are still held stay as they are. Idempotent."""
        for session in list(self._sessions):
            session.close()
        self._channels.close()

    def __del__(self) -> None:
        if hasattr(self, "_channels") and not self._channels.current.closed:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=2, source=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Domain {self.name}>"
