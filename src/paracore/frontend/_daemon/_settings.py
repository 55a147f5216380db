# SPDX-License-Identifier: Apache-2.0
"""How the frontend daemon is run: what its command line says, no file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_SOCKET", "FrontendSettings"]

DEFAULT_SOCKET = "/run/paracore/paracore.sock"
"""Where libparacore looks first: a program is served in a guest as it is on a host."""


@dataclass(frozen=True, slots=True)
class FrontendSettings:
    """See ``paracore frontend --help``."""

    socket: str = DEFAULT_SOCKET
    socket_mode: int = 0o660
    """Who may connect at all: whoever may is served, and the guest's limits are for all together."""
    group: int = -1
    """The socket's group; -1: the daemon's own."""
    device: int = 0
    """Which of the guest's devices of this type."""
    backend_timeout: float = 10.0
    """Seconds without an answer after which the backend has gone."""
    log_level: str = "info"
    """What goes to standard error."""
