# SPDX-License-Identifier: Apache-2.0
"""Runs the frontend daemon in this process until it is told to stop: by SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING

from paracore.frontend._daemon._daemon import FrontendDaemon
from paracore.transport.xen import XenHypervisor, Xenstore

if TYPE_CHECKING:
    from paracore.frontend._daemon._settings import FrontendSettings

__all__ = ["serve_frontend"]

_log = logging.getLogger("paracore.frontend")


def serve_frontend(settings: FrontendSettings) -> None:
    """Serves until it is told to stop.

    Raises:
        TransportError: this is no Xen guest, it lacks something that the text names, or the socket is served already.
    """
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    _raise_descriptor_limit()
    asyncio.run(_serve(settings))


async def _serve(settings: FrontendSettings) -> None:
    hypervisor = XenHypervisor()
    hypervisor.check_frontend()
    async with Xenstore.connect() as store:
        daemon = FrontendDaemon(settings, store, hypervisor)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.stop)
        _log.info("serving this guest at %s", settings.socket)
        await daemon.run()


def _raise_descriptor_limit() -> None:
    """A grant is a descriptor here: as many as the guest lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
