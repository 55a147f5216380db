# SPDX-License-Identifier: Apache-2.0
"""``paracore env``: the environment of ``paracore run``, for a service, a shell or a container."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paracore.cli._environment import (
    add_api_option,
    add_wish_options,
    cache_folder,
    chosen_apis,
    environment_for,
    wishes_of,
)
from paracore.cli._exit import UsageError
from paracore.cli._options import add_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from paracore.cli._environment import Environment

NAME = "env"
SUMMARY = "print the environment in which unmodified programs find the devices"
EXAMPLES = """
  eval "$(paracore env)"                                          for this shell and what it starts
  paracore env --format systemd > /etc/systemd/system/player.service.d/paracore.conf
  paracore env --format environment.d > ~/.config/environment.d/paracore.conf
  docker run $(paracore env --format docker) --user 70001 image ffmpeg ...
  paracore env --api v4l2 --json | jq .variables                  needs no running backend
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_api_option(parser)
    add_wish_options(parser)
    add_file(parser, "--address", metavar="SOCKET", help="the backend's (default: $PARACORE_SOCKET, else the system's)")
    add_file(parser, "--folder", metavar="FOLDER", help="for generated files (default: one in the user's cache)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=sorted(_FORMATS), default="shell", help="how it is written (%(default)s)")
    form.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Prints it."""
    environment = _environment(arguments)
    if arguments.json:
        json.dump(environment._asdict(), sys.stdout, indent=2)
        print()
        return
    for line in _FORMATS[arguments.format](environment):
        print(line)


def _environment(arguments: argparse.Namespace) -> Environment:
    import paracore  # noqa: PLC0415 - needs the native library
    from paracore.frontend import default_address  # noqa: PLC0415 - as above

    apis = chosen_apis(arguments.api)
    address = os.path.abspath(arguments.address or default_address())  # noqa: PTH100 - links stay
    folder = Path(arguments.folder).absolute() if arguments.folder else cache_folder()
    wishes = wishes_of(arguments)
    if "omx" not in apis:
        return environment_for(apis, address, folder, {}, wishes)
    with paracore.open(address) as domain:
        return environment_for(apis, address, folder, domain.devices, wishes)


def _shell(environment: Environment) -> Iterator[str]:
    for name, value in environment.variables.items():
        before = "${LD_PRELOAD:+:$LD_PRELOAD}" if name == "LD_PRELOAD" else ""
        yield f"export {name}={shlex.quote(value)}{before}"


def _systemd(environment: Environment) -> Iterator[str]:
    """systemd.exec(5), Environment=: quoted, with its own specifiers made harmless."""
    yield "[Service]"
    for name, value in environment.variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        yield f'Environment="{name}={escaped}"'


def _docker(environment: Environment) -> Iterator[str]:
    """Options of docker and podman, one a line. The list of plugins is made in the container."""
    variables = environment.variables | {"GST_REGISTRY": "/tmp/paracore-gstreamer-registry.bin"}  # noqa: S108 - of the container
    options = [f"--env={name}={value}" for name, value in variables.items()]
    options += [f"--volume={path}:{path}:ro" for path in environment.files]
    if strange := next((option for option in options if len(option.split()) != 1), None):
        raise UsageError(f"{strange!r} has blanks, which a shell would take apart; use --json")
    yield from options


def _environment_d(environment: Environment) -> Iterator[str]:
    """environment.d(5): a shell's assignments, which are expanded."""
    for name, value in environment.variables.items():
        escaped = re.sub(r'(["\\$`])', r"\\\1", value)
        yield f'{name}="{escaped}"'


_FORMATS = {"shell": _shell, "systemd": _systemd, "environment.d": _environment_d, "docker": _docker}
