# SPDX-License-Identifier: Apache-2.0
"""What ``paracore device`` and ``paracore domain`` have in common: settings of a running backend."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from paracore.cli._exit import UsageError
from paracore.cli._options import add_file

if TYPE_CHECKING:
    import argparse

__all__ = ["add_set", "change"]


def add_set(parser: argparse.ArgumentParser, kind: str) -> argparse.ArgumentParser:
    """Declares ``set NAME``; options are the settings, and go where this returns."""
    verbs = parser.add_subparsers(metavar="VERB", required=True, dest="verb")
    verb = verbs.add_parser(
        "set", help=f"change settings of a {kind}", description=parser.description, epilog=parser.epilog
    )
    verb.add_argument("name", metavar=kind.upper(), help="its name in the configuration, as paracore list shows it")
    add_file(verb, "--address", metavar="SOCKET", help="of the backend (default: $PARACORE_SOCKET, else the system's)")
    verb.add_argument("--json", action="store_true", help="print what it is now, as JSON")
    return verb


def change(arguments: argparse.Namespace, kind: str, names: tuple[str, ...]) -> None:
    """Does what the options say, and tells what the settings are then."""
    from paracore.frontend import backend_status, configure_backend, default_address  # noqa: PLC0415 - needs the native library

    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if not given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        raise UsageError(f"nothing to change; give one of {options}")
    address = arguments.address or default_address()
    configure_backend(address, {kind: {arguments.name: given}})
    status = backend_status(address)
    _tell(next(each for each in status[f"{kind}s"] if each["name"] == arguments.name), names, as_json=arguments.json)


def _tell(told: dict[str, Any], names: tuple[str, ...], *, as_json: bool) -> None:
    settings = {name: told[name] if name in told else told["limits"][name] for name in names}
    if as_json:
        json.dump({"name": told["name"]} | settings, sys.stdout, indent=2)
        print()
    else:
        words = (f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
        print(f"{told['name']}: {', '.join(words)}")
