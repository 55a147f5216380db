# SPDX-License-Identifier: Apache-2.0
"""``paracore domain``: the rights of a domain of a running backend, changed while it is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.cli._options import burst, count, positive, share
from paracore.cli._settings import add_set, change

if TYPE_CHECKING:
    import argparse

NAME = "domain"
SUMMARY = "change a domain's share of the devices, while it is at work"
EXAMPLES = """
  paracore domain set web --weight 200        twice as much as a domain of 100
  paracore domain set web --priority 5        on devices with the policy priority
  paracore domain set web --device-time 0.25  a quarter of each device's time at most, 0: no limit
  paracore domain set web --pictures-per-second 60 --pictures-burst 4

The configuration file stays as it is: write there what is to outlive the backend. See docs/guides/sharing.md.
"""

_RATES = ("pictures", "macroblocks")
_SETTINGS = (
    "weight",
    "priority",
    "device_time",
    "device_burst",
    *(f"{what}_{how}" for what in _RATES for how in ("per_second", "burst")),
    "pixel_rate",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    verb = add_set(parser, NAME)
    verb.add_argument("--weight", type=positive, metavar="N", help="share beside other domains, 1 to 10000")
    verb.add_argument("--priority", type=count, metavar="N", help="0 to 9, more is served sooner")
    verb.add_argument(
        "--device-time", type=share, metavar="PART", help="of each device at most, 0.25 is a quarter; 0: no limit"
    )
    verb.add_argument("--device-burst", type=share, metavar="SECONDS", help="of device time at once after a rest")
    for what in _RATES:
        verb.add_argument(
            f"--{what}-per-second", type=share, metavar="RATE", help=f"{what} of all its sessions together; 0: no limit"
        )
        verb.add_argument(f"--{what}-burst", type=burst, metavar="N", help=f"{what} at once after a rest")
    verb.add_argument(
        "--pixel-rate", type=count, metavar="N", help="samples a second that its sessions may declare; 0: no limit"
    )


def run(arguments: argparse.Namespace) -> None:
    """Changes."""
    change(arguments, NAME, _SETTINGS)
