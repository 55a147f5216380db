# SPDX-License-Identifier: Apache-2.0
"""``paracore detach``: takes a Xen guest's devices away."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from paracore.cli._options import seconds
from paracore.cli._xen import with_xenstore

if TYPE_CHECKING:
    import argparse

    from paracore.toolstack import Attached
    from paracore.transport.xen import Xenstore

NAME = "detach"
SUMMARY = "detach a Xen guest's devices"
EXAMPLES = """
  paracore detach guest               streams end in order, both ends let go, then the nodes go
  paracore detach guest --timeout 60  streams have a minute for that; what is left then is ended
  paracore detach guest --force       at once, whether or not anybody answers
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("domain", metavar="DOMAIN", help="the guest: number, name or UUID, as xl list shows them")
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument("--force", action="store_true", help="do not wait for streams, nor for either end")
    wait.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help="that streams have to end in order (10)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Detaches."""

    async def step(store: Xenstore) -> list[Attached]:
        from paracore.toolstack import detach, find_domain  # noqa: PLC0415 - needs the native library

        guest = await find_domain(store, arguments.domain)
        return await detach(store, guest, force=arguments.force, drain=arguments.timeout)

    accounts = [device.account() for device in with_xenstore(step)]
    if arguments.json:
        json.dump(accounts, sys.stdout, indent=2)
        print()
        return
    for each in accounts:
        print(f"guest {each['domid']} ({each['name']})  {' '.join(each['devices'])}  detached")
