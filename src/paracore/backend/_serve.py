# SPDX-License-Identifier: Apache-2.0
"""Runs a backend in this process until it is told to stop: by SIGTERM or SIGINT, or by the end of a lifeline.

SIGHUP has it become its next program image, which finds here what the last one has left (``_reload``).
"""

from __future__ import annotations

import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError, DeviceLost, TransportError
from paracore.backend._handover import abandon, inherited, merged, open_state
from paracore.backend._orders import ORDER_MAX, order_parse
from paracore.backend._warm import check_sandbox, launch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from paracore.backend._config import Config
    from paracore.backend._handover import Envelope, State
    from paracore.backend._supervisor import Supervisor
    from paracore.backend._warm import Launched
    from paracore.transport.xen import XenHypervisor, XenListener

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
    file, state = config, None
    if left := inherited():
        if left.rehearsal:
            _rehearse(merged(open_state(left.envelope), config))
            return
        config, state = _taken_over(left.envelope, config)
    launched = launch(config)  # it loads its drivers while this process loads the rest
    try:
        _run(_Start(config, file, state, lifeline), launched, ready)
    finally:
        launched.process.kill()
        launched.process.wait()
        launched.socket.close()


class _Start(NamedTuple):
    """What a backend begins with: its configuration, that of the file, what it takes over, its lifeline."""

    config: Config
    file: Config
    state: State | None
    lifeline: int


def _taken_over(left: Envelope, file: Config) -> tuple[Config, State | None]:
    """The configuration to go on with, and with what. The rehearsal went well, but files change at any time."""
    try:
        state = open_state(left)
    except ConfigError as error:
        _log.error("%s; all sessions end, as by a restart", error)
        abandon(left)
        return file, None
    try:
        return merged(state, file), state
    except ConfigError as error:
        _log.error("the configuration stays as it was: %s", error)
        return state.config, state


def _rehearse(config: Config) -> None:
    """Whether a backend could begin with it.

    Raises:
        ConfigError: a device could not be made, guests are to be served where there is no Xen, or workers could not be
            confined as they have to be.
        DeviceLost: its warm parent does not live.
    """
    if config.xen.enabled:
        _hypervisor()
    launched = launch(config)
    try:
        octets = launched.socket.recv(ORDER_MAX)
    finally:
        launched.process.kill()
        launched.process.wait()
        launched.socket.close()
    said = order_parse(octets) if octets else {}
    if "failed" in said:
        raise ConfigError(*said["failed"])
    if "ready" not in said:
        raise DeviceLost("paracore", 0, "the warm parent of the workers does not live")
    check_sandbox(config, said)


def _run(start: _Start, launched: Launched, ready: Callable[[], None]) -> None:
    import asyncio  # noqa: PLC0415 - see above

    from paracore.backend._supervisor import Supervisor  # noqa: PLC0415 - as above
    from paracore.transport.local import LocalTransport  # noqa: PLC0415 - as above

    async def run() -> None:
        config = start.config
        supervisor = Supervisor(config, launched)
        guests = _listen_to_guests(supervisor) if config.xen.enabled else None
        if start.state:
            processes = LocalTransport().adopt(start.state.listener)
            supervisor.adopt(start.state, processes, guests)
        else:
            processes = LocalTransport().listen(config.backend.socket, config.backend.socket_mode)
        supervisor.listen(processes, guests)
        _obey(supervisor, start, asyncio.get_running_loop())
        again = " again" if start.state else ""
        _log.info("serving%s %d domains at %s", again, len(config.domain), config.backend.socket)
        ready()
        await supervisor.run()

    asyncio.run(run())


def _listen_to_guests(supervisor: Supervisor) -> XenListener:
    from paracore.transport.xen import XenListener  # noqa: PLC0415 - needs Xen

    try:
        return XenListener(_hypervisor(), supervisor)
    except TransportError as error:
        raise _no_guests(error) from error


def _hypervisor() -> XenHypervisor:
    from paracore.transport.xen import XenHypervisor  # noqa: PLC0415 - needs Xen

    try:
        hypervisor = XenHypervisor()
        hypervisor.check_backend()
    except TransportError as error:
        raise _no_guests(error) from error
    return hypervisor


def _no_guests(error: TransportError) -> ConfigError:
    return ConfigError("xen.enabled", f"guests cannot be served: {error}; or leave it out")


def _obey(supervisor: Supervisor, start: _Start, loop: asyncio.AbstractEventLoop) -> None:
    """Lets signals and the lifeline stop it, or a signal reload it: not one that belongs to a program."""
    from paracore.backend._reload import SIGNALS, Reload  # noqa: PLC0415 - see above

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    if start.lifeline >= 0:
        loop.add_reader(start.lifeline, supervisor.stop)
    else:
        loop.add_signal_handler(signal.SIGHUP, Reload(supervisor, start.file).begin)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s: %(message)s")


def _raise_descriptor_limit() -> None:
    """A grant is a descriptor here: as many as the host lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
