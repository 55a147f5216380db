# SPDX-License-Identifier: Apache-2.0
"""``paracore frontend``: the frontend daemon of a Xen guest."""

from __future__ import annotations

import grp
from typing import TYPE_CHECKING

from paracore.cli._exit import UsageError
from paracore.cli._options import add_file, count, mode, seconds

if TYPE_CHECKING:
    import argparse

    from paracore.frontend import FrontendSettings

NAME = "frontend"
SUMMARY = "in a Xen guest: serve its programs with the devices that are attached to it"
EXAMPLES = """
  paracore frontend --group video             as the systemd unit does: members of the group may use it
  paracore frontend --socket-mode 666         everybody in this guest may
  paracore frontend --backend-timeout 3       programs hear sooner of a backend that was killed

In the driver domain: paracore attach GUEST vpu0. In the guest, once the daemon runs: paracore list.
"""
_LEVELS = ("debug", "info", "warning", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(
        parser,
        "--socket",
        metavar="SOCKET",
        help="where programs connect (default: the one they look for by themselves)",
    )
    parser.add_argument("--socket-mode", type=mode, metavar="MODE", help="who may connect, as in chmod (default: 660)")
    parser.add_argument(
        "--group", metavar="GROUP", help="the socket's group, a name or a number (default: the daemon's)"
    )
    parser.add_argument("--device", type=count, default=0, metavar="N", help="which device/paracore/N (default: 0)")
    parser.add_argument(
        "--backend-timeout",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long a backend may be silent before programs are told that it has gone (default: 10)",
    )
    parser.add_argument("--log-level", choices=_LEVELS, default="info", help="what is said on standard error")


def run(arguments: argparse.Namespace) -> None:
    """Serves."""
    from paracore.frontend import serve_frontend  # noqa: PLC0415 - only this needs Xen

    serve_frontend(_settings(arguments))


def _settings(arguments: argparse.Namespace) -> FrontendSettings:
    from paracore.frontend import FrontendSettings  # noqa: PLC0415 - as above

    given = {"socket": arguments.socket, "socket_mode": arguments.socket_mode}
    return FrontendSettings(
        **{name: value for name, value in given.items() if value is not None},
        group=-1 if arguments.group is None else _group(arguments.group),
        device=arguments.device,
        backend_timeout=arguments.backend_timeout,
        log_level=arguments.log_level,
    )


def _group(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {name!r}; create it with: groupadd --system {name}") from None
