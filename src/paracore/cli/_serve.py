# SPDX-License-Identifier: Apache-2.0
"""``paracore serve``: the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.cli._exit import UsageError
from paracore.cli._options import add_file

if TYPE_CHECKING:
    import argparse

    from paracore.backend import Config

NAME = "serve"
SUMMARY = "run the backend until it is told to stop"
EXAMPLES = """
  paracore serve --config /etc/paracore/paracore.toml     as the systemd unit does
  paracore serve --address /tmp/paracore.sock             for this user alone, without a configuration
  paracore serve --config my.toml --check                 only look whether the configuration is right
  paracore serve --config my.toml --xen                   in dom0 or a driver domain: for guests as well
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "--config", metavar="FILE", help="the configuration: devices, domains and their limits")
    add_file(parser, "--address", metavar="SOCKET", help="where domains connect, instead of the configuration's")
    parser.add_argument("--xen", action="store_true", help="serve Xen guests, too: those that `paracore attach` names")
    parser.add_argument("--check", action="store_true", help="check the configuration and end")


def run(arguments: argparse.Namespace) -> None:
    """Serves."""
    from paracore.backend import serve  # noqa: PLC0415 - nobody else needs it

    config = _config(arguments)
    if arguments.check:
        print(f"{arguments.config or 'the default configuration'} is right: {_described(config)}")
        return
    serve(config)


def _config(arguments: argparse.Namespace) -> Config:
    from msgspec.structs import replace  # noqa: PLC0415 - as above

    config = _given(arguments)
    return replace(config, xen=replace(config.xen, enabled=True)) if arguments.xen else config


def _given(arguments: argparse.Namespace) -> Config:
    from msgspec.structs import replace  # noqa: PLC0415 - as above

    from paracore.backend import config_load, config_private  # noqa: PLC0415 - as above

    if arguments.config is None:
        if arguments.address is None:
            raise UsageError("give --config FILE, or --address SOCKET for a backend of your own")
        return config_private(arguments.address)
    config = config_load(arguments.config)
    if arguments.address is None:
        return config
    return replace(config, backend=replace(config.backend, socket=arguments.address))


def _described(config: Config) -> str:
    devices = ", ".join(f"{device.name} ({device.driver})" for device in config.device) or "none"
    domains = ", ".join(domain.name for domain in config.domain) or "none"
    return f"devices {devices}; domains {domains}; at {config.backend.socket}"
