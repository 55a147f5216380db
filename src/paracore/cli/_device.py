# SPDX-License-Identifier: Apache-2.0
"""``paracore device``: how a device of a running backend is shared out, changed while it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.cli._options import count
from paracore.cli._settings import add_set, change

if TYPE_CHECKING:
    import argparse

NAME = "device"
SUMMARY = "change how a device is shared out, while it is used"
EXAMPLES = """
  paracore device set vpu0 --policy priority --slots 1
  paracore device set vpu0 --slots 0          all domains at once
  paracore device set vpu0 --pixel-rate 0     sessions are let in whatever they declare
  paracore list --json | jq '.devices[] | {name, policy, slots}'

The configuration file stays as it is: write there what is to outlive the backend. See docs/guides/sharing.md.
"""

_POLICIES = ("fair", "priority", "fixed-share", "deadline")
_SETTINGS = ("policy", "slots", "pixel_rate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    verb = add_set(parser, NAME)
    verb.add_argument("--policy", choices=_POLICIES, help="who is next")
    verb.add_argument("--slots", type=count, metavar="N", help="domains at once, 0: all")
    verb.add_argument(
        "--pixel-rate", type=count, metavar="N", help="samples a second that it can do, 0: nobody knows, all are let in"
    )


def run(arguments: argparse.Namespace) -> None:
    """Changes."""
    change(arguments, NAME, _SETTINGS)
