# SPDX-License-Identifier: Apache-2.0
"""``paracore attach``: devices for a Xen guest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from paracore.cli._options import count, count_of_octets, positive, seconds, thousandths
from paracore.cli._xen import device_line, with_xenstore

if TYPE_CHECKING:
    import argparse

    from paracore.toolstack import Attached
    from paracore.transport.xen import Xenstore

NAME = "attach"
SUMMARY = "attach devices of the backend to a Xen guest"
EXAMPLES = """
  paracore attach guest vpu0                             by the guest's name, number or UUID
  paracore attach 3 vpu0 --weight 200 --max-sessions 4   a larger share, and a limit
  paracore attach 3 vpu0 --max-device-time 0.25          a quarter of the device's time at most
  paracore attach guest vpu0 --backend drivers           the backend is in another domain than 0
  paracore attach guest vpu0 --no-wait                   before its `paracore frontend` runs
  paracore attach guest vpu0 --stay                      again after each reboot of the guest, until Ctrl-C
"""

#: Option, what it is; the nodes and their defaults are in docs/protocol/xenbus.md.
_LIMITS = (
    ("channels", positive, "N", "processes at once"),
    ("sessions", positive, "N", "codec instances at once"),
    ("buffers", positive, "N", "grants of buffers at once"),
    ("bytes", count_of_octets, "SIZE", "granted at once, such as 512M"),
    ("outstanding", positive, "N", "unanswered calls and queued spans of one channel"),
    ("memory", count_of_octets, "SIZE", "the worker's private memory, such as 2G"),
    ("device-time", thousandths, "PART", "of each device, 0.25 is a quarter, up to 64"),
    ("pictures-per-second", positive, "N", "pictures of all its sessions together"),
    ("macroblocks-per-second", positive, "N", "the same in 16 x 16 samples"),
    ("pixel-rate", positive, "N", "samples a second that its sessions may declare"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("domain", metavar="DOMAIN", help="the guest: number, name or UUID, as xl list shows them")
    parser.add_argument("devices", metavar="DEVICE", nargs="+", help="names in the backend's configuration")
    parser.add_argument("--backend", metavar="DOMAIN", default="0", help="where the backend is (default: domain 0)")
    parser.add_argument("--weight", type=positive, metavar="N", help="share beside other guests, 1 to 10000 (100)")
    parser.add_argument("--priority", type=count, metavar="N", help="0 to 9 (0), more is served sooner by that policy")
    limits = parser.add_argument_group("limits")
    for name, kind, metavar, text in _LIMITS:
        limits.add_argument(f"--max-{name}", type=kind, metavar=metavar, help=text)
    wait = parser.add_mutually_exclusive_group()
    wait.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help="until both ends are connected (10)"
    )
    wait.add_argument("--no-wait", action="store_true", help="make the nodes and end")
    wait.add_argument("--stay", action="store_true", help="do not end: attach them whenever the guest comes (back)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Attaches."""
    if arguments.stay:
        with_xenstore(lambda store: _stay(store, arguments))
    _tell(arguments, with_xenstore(lambda store: _once(store, arguments)))


async def _once(store: Xenstore, arguments: argparse.Namespace) -> Attached:
    from paracore.toolstack import attach, find_domain  # noqa: PLC0415 - needs the native library

    return await attach(
        store,
        await find_domain(store, arguments.domain),
        arguments.devices,
        backend=(await find_domain(store, arguments.backend)).number,
        timeout=0 if arguments.no_wait else arguments.timeout,
        decided=_decided(arguments),
    )


async def _stay(store: Xenstore, arguments: argparse.Namespace) -> NoReturn:
    from paracore.toolstack import find_domain, stay_attached  # noqa: PLC0415 - needs the native library

    await stay_attached(
        store,
        arguments.domain,
        arguments.devices,
        backend=(await find_domain(store, arguments.backend)).number,
        decided=_decided(arguments),
        tell=lambda device: _tell(arguments, device),
    )


def _tell(arguments: argparse.Namespace, device: Attached) -> None:
    if arguments.json:
        print(json.dumps(device.account(), indent=2), flush=True)
    else:
        print(device_line(device.account()), flush=True)


def _decided(arguments: argparse.Namespace) -> dict[str, int]:
    """What was said; the rest stays at its default."""
    names = ["weight", "priority", *(f"max_{name.replace('-', '_')}" for name, *_ in _LIMITS)]
    said = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in said.items() if value is not None}
