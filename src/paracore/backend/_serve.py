# SPDX-License-Identifier: Apache-2.0
"""Runs a backend in this process until it is told to stop: by SIGTERM or SIGINT, or by the end of a lifeline."""

from __future__ import annotations

import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING

from paracore._errors import ConfigError, TransportError
from paracore.backend._warm import launch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from paracore.backend._config import Config
    from paracore.backend._supervisor import Supervisor
    from paracore.backend._warm import Launched
    from paracore.transport import Listener

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
        ConfigError: a device could not be made, or guests are to be served where there is no Xen.
        DeviceLost: workers cannot be started any more.
    """
    _log_to_stderr(config.backend.log_level)
    _raise_descriptor_limit()
    launched = launch(config)  # it loads its drivers while this process loads the rest
    try:
        _run(config, launched, ready, lifeline)
    finally:
        launched.process.kill()
        launched.process.wait()
        launched.socket.close()


def _run(config: Config, launched: Launched, ready: Callable[[], None], lifeline: int) -> None:
    import asyncio  # noqa: PLC0415 - see above

    from paracore.backend._supervisor import Supervisor  # noqa: PLC0415 - as above
    from paracore.transport.local import LocalTransport  # noqa: PLC0415 - as above

    async def run() -> None:
        supervisor = Supervisor(config, launched)
        supervisor.listen(LocalTransport().listen(config.backend.socket, config.backend.socket_mode))
        if config.xen.enabled:
            supervisor.listen(_listen_to_guests(supervisor))
        _obey(supervisor, asyncio.get_running_loop(), lifeline)
        _log.info("serving %d domains at %s", len(config.domain), config.backend.socket)
        ready()
        await supervisor.run()

    asyncio.run(run())


def _listen_to_guests(supervisor: Supervisor) -> Listener:
    from paracore.transport.xen import XenHypervisor, XenListener  # noqa: PLC0415 - needs Xen

    try:
        hypervisor = XenHypervisor()
        hypervisor.check_backend()
        return XenListener(hypervisor, supervisor)
    except TransportError as error:
        raise ConfigError("xen.enabled", f"guests cannot be served: {error}; or leave it out") from error


def _obey(supervisor: Supervisor, loop: asyncio.AbstractEventLoop, lifeline: int) -> None:
    """Lets signals and the lifeline stop it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    if lifeline >= 0:
        loop.add_reader(lifeline, supervisor.stop)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s: %(message)s")


def _raise_descriptor_limit() -> None:
    """A grant is a descriptor here: as many as the host lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
