# SPDX-License-Identifier: Apache-2.0
"""``paracore reload``: a running backend goes on with what is installed and configured now; nobody notices."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from paracore._errors import ConfigError, DeviceLost
from paracore.cli._exit import UsageError
from paracore.cli._options import add_file, seconds

if TYPE_CHECKING:
    import argparse

NAME = "reload"
SUMMARY = "load the backend's configuration and program anew, while streams run"
EXAMPLES = """
  paracore reload             after a change of /etc/paracore/paracore.toml, or an upgrade
  systemctl reload paracore   the same

A configuration that is wrong is refused with the reason, and nothing changes. See docs/guides/service.md.
"""

_LOOK: Final = 0.1
"""Seconds between two looks at how far it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(
        parser, "--address", metavar="SOCKET", help="of the backend (default: $PARACORE_SOCKET, else the system's)"
    )
    parser.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS", help="until it is done (60)")
    parser.add_argument("--json", action="store_true", help="print how often it has been reloaded, as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Asks for it, and waits until it is done or refused."""
    from paracore.frontend import backend_status, default_address  # noqa: PLC0415 - needs the native library

    address = arguments.address or default_address()
    before = backend_status(address)
    if before["reload_complaint"] is None:
        raise UsageError(f"the backend at {address} belongs to one program, and cannot be reloaded")
    os.kill(before["pid"], signal.SIGHUP)
    until = time.monotonic() + arguments.timeout
    while not _changed(before, now := backend_status(address)):
        if time.monotonic() > until:
            raise DeviceLost(
                "paracore", 0, f"the reload is not done after {arguments.timeout:g} s; see the backend's log"
            )
        time.sleep(_LOOK)
    _tell(now, as_json=arguments.json)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether it is done.

    Raises:
        ConfigError: it was refused.
    """
    then, counts = before["statistics"], now["statistics"]
    if counts["reloads_refused"] > then["reloads_refused"]:
        option, _, hint = now["reload_complaint"].partition(": ")
        raise ConfigError(option, hint)
    return bool(counts["reloads"] > then["reloads"])


def _tell(now: dict[str, Any], *, as_json: bool) -> None:
    reloads = now["statistics"]["reloads"]
    if as_json:
        json.dump({"pid": now["pid"], "reloads": reloads}, sys.stdout, indent=2)
        print()
    else:
        print(f"reloaded: process {now['pid']}, {len(now['domains'])} domains")
