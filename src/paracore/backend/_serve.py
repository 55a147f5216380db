# SPDX-License-Identifier: Apache-2.0
"""Runs a backend in this process until it is told to stop: by SIGTERM or SIGINT, or by the end of a lifeline."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING

from paracore.backend._supervisor import Supervisor
from paracore.transport.local import LocalTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._config import Config

__all__ = ["serve"]

_log = logging.getLogger("paracore.backend")


def serve(config: Config, *, ready: Callable[[], None] = lambda: None, lifeline: int = -1) -> None:
    """Serves until it is told to stop.

    Args:
        config: all there is to know.
        ready: called once the socket can be connected to.
        lifeline: a descriptor whose end of file ends the backend as SIGTERM does; -1: none.

    Raises:
        TransportError: the socket cannot be had, or another backend serves it.
        ConfigError: a device could not be made.
        DeviceLost: workers cannot be started any more.
    """
    _log_to_stderr(config.backend.log_level)
    _raise_descriptor_limit()
    asyncio.run(_serve(config, ready, lifeline))


async def _serve(config: Config, ready: Callable[[], None], lifeline: int) -> None:
    supervisor = Supervisor(config, LocalTransport())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    if lifeline >= 0:
        loop.add_reader(lifeline, supervisor.stop)
    _log.info("serving %d domains at %s", len(config.domain), config.backend.socket)
    ready()
    await supervisor.run()


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s: %(message)s")


def _raise_descriptor_limit() -> None:
    """A grant is a descriptor here: as many as the host lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
