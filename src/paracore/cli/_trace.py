# SPDX-License-Identifier: Apache-2.0
"""``paracore trace``: a timeline of what sessions do, for ui.perfetto.dev and chrome://tracing."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paracore
from paracore._errors import PermissionRefused, QuotaExceeded
from paracore.cli._exit import UsageError
from paracore.cli._options import add_file, positive, seconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from paracore.frontend._tracing import Collector

NAME = "trace"
SUMMARY = "record a timeline of sessions for Perfetto, with each unit's way to the codec and back"
EXAMPLES = """
  paracore trace -o trace.json                          five seconds of all domains (root, or the backend's user)
  paracore trace --domain web --seconds 60 -o trace.json
  paracore trace --device vpu0 --session 2 -o trace.json
  paracore decode film.mp4 --trace trace.json           both sides of one program
  paracore run --trace trace.json -- ffmpeg -c:v h264_v4l2m2m -i film.mp4 -f null -
  PARACORE_TRACE=/tmp/t program & paracore trace --programs /tmp/t -o trace.json

Open the file in ui.perfetto.dev or chrome://tracing. Ctrl-C ends it, and writes what there is. See docs/guides/tracing.md.
"""

_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "-o", "--output", metavar="OUT", required=True, help="a .json file; - is standard output")
    parser.add_argument("--domain", metavar="NAME", help="only this one (default: all that this user may see)")
    parser.add_argument("--device", metavar="NAME", help="only sessions of this device")
    parser.add_argument(
        "--session", type=positive, metavar="N", help="only sessions of this number, as paracore list has it"
    )
    parser.add_argument(
        "--seconds", type=seconds, default=_SECONDS, metavar="S", help=f"how long (default: {_SECONDS:g})"
    )
    add_file(parser, "--programs", metavar="FOLDER", help="with the side of programs that have it as PARACORE_TRACE")
    add_file(
        parser, "--address", metavar="SOCKET", help="of the backend (default: $PARACORE_SOCKET, else the system's)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Traces."""
    from paracore.cli._recording import TraceFile, print_summary  # noqa: PLC0415 - as below
    from paracore.frontend import default_address  # noqa: PLC0415 - needs the native library
    from paracore.frontend._tracing import Collector, trace_domains  # noqa: PLC0415 - not needed for the help

    if arguments.programs and not Path(arguments.programs).is_dir():
        raise UsageError(f"--programs: there is no folder {arguments.programs}")
    address = str(arguments.address or default_address())
    domains, note = _domains(address, arguments.domain)
    collector = Collector()
    with closing(TraceFile(arguments.output)) as file, closing(collector):
        with trace_domains(address, list(domains)) as tracing:
            while tracing.memories:
                collector.add_worker(*tracing.memories.popitem())
            if "" in domains:  # by now it is known what it is called
                domains = {collector.domains[0]: domains[""]}
            chosen = _chosen(arguments, domains)
            _collect(collector, arguments, tracing.ended)
        summary = file.write(collector, domains, chosen, note)
    told = sys.stderr if arguments.output == "-" else sys.stdout
    if arguments.json:
        print(json.dumps(summary, indent=2), file=told)
    else:
        print_summary(summary, told)


def _collect(collector: Collector, arguments: argparse.Namespace, ended: Any) -> None:
    if arguments.programs:
        collector.add_programs(Path(arguments.programs))
    with _interrupted() as interrupted:
        collector.collect(arguments.seconds, lambda: ended() or interrupted.is_set())
    collector.round(last=True)


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Whether Ctrl-C has been pressed: as an exception it would lose what has just been read and not yet kept."""
    pressed = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _domains(address: str, wanted: str | None) -> tuple[dict[str, list[str]], str | None]:
    """Those to be traced, each with its devices, "" being this user's own; and what is to be said of them."""
    from paracore.frontend import backend_status  # noqa: PLC0415 - needs the native library

    try:
        status = backend_status(address)
    except PermissionRefused:
        return {wanted or "": _own_devices(address)}, None
    found = {domain["name"]: domain for domain in status["domains"] if wanted in {None, domain["name"]}}
    if wanted is not None and not found:
        there = ", ".join(domain["name"] for domain in status["domains"])
        raise UsageError(f"the backend has no domain {wanted}; it has {there or 'none'}")
    return {name: list(domain["devices"]) for name, domain in found.items()}, _of_guests(found)


def _of_guests(domains: Mapping[str, Any]) -> str | None:
    """Those that are known by neither user nor group are guests."""
    guests = [
        name
        for name, domain in domains.items()
        if not any(identity.startswith(("uid:", "gid:")) for identity in domain["identities"])
    ]
    names = ", ".join(guests)
    return f"of guests ({names}) the worker's side alone is in it: their clocks are others" if guests else None


def _own_devices(address: str) -> list[str]:
    """Of a user who is no administrator. One whose domain may have no more channels sees no names."""
    try:
        with paracore.open(address) as domain:
            return list(domain.devices)
    except QuotaExceeded:
        return []


def _chosen(arguments: argparse.Namespace, domains: dict[str, list[str]]) -> Any:
    from paracore.frontend._tracing import Chosen  # noqa: PLC0415 - not needed for the help

    if arguments.device is None:
        return Chosen(session=arguments.session)
    known = sorted({name for devices in domains.values() for name in devices})
    if arguments.device not in known:
        raise UsageError(f"there is no device {arguments.device}; there are {', '.join(known) or 'none'}")
    indices = {
        name: devices.index(arguments.device) for name, devices in domains.items() if arguments.device in devices
    }
    return Chosen(devices=indices, session=arguments.session)
