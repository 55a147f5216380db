# SPDX-License-Identifier: Apache-2.0
"""``paracore list``: devices, domains, sessions, and on a Xen machine its guests' devices."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from paracore._errors import PermissionRefused, TransportError
from paracore.cli._backend import connect
from paracore.cli._options import add_backend_options
from paracore.cli._xen import device_line, xen_devices

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    import paracore

NAME = "list"
SUMMARY = "list devices, and for an administrator domains and sessions"
EXAMPLES = """
  paracore list                      of the running backend
  paracore list --codecs             with formats and controls of each codec
  paracore list --private            what a backend of one's own would offer
  paracore list --json | jq .devices
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("--codecs", action="store_true", help="show formats, controls and sizes of each codec")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_backend_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Lists."""
    status = _whole(arguments)
    if arguments.json:
        json.dump(status, sys.stdout, indent=2)
        print()
        return
    for line in _lines(status, codecs=arguments.codecs):
        print(line)


def _whole(arguments: argparse.Namespace) -> dict[str, Any]:
    """The backend and the guests; either may be in another domain of the machine."""
    guests = [] if arguments.private else xen_devices()
    try:
        status = _status(arguments)
    except TransportError:
        if not guests or arguments.address:
            raise
        status = {"devices": [], "domains": []}
    return status | ({"guests": guests} if guests else {})


def _status(arguments: argparse.Namespace) -> dict[str, Any]:
    """The backend's own account; to those who may not ask, what their domain sees."""
    from paracore.frontend import backend_status, default_address  # noqa: PLC0415 - needs the native library

    if not arguments.private:
        try:
            return backend_status(arguments.address or default_address())
        except PermissionRefused:
            pass
    with connect(arguments, private_if_none=False) as domain:
        return _seen(domain)


def _seen(domain: paracore.Domain) -> dict[str, Any]:
    """What a domain sees, in the form of the backend's account."""
    return {
        "devices": [
            {"name": device.name, "driver": device.driver, "codecs": [each._asdict() for each in device.capabilities]}
            for device in domain.devices.values()
        ],
        "domains": [{"name": domain.name, "devices": list(domain.devices), "limits": domain.limits._asdict()}],
    }


def _lines(status: Mapping[str, Any], *, codecs: bool) -> Iterator[str]:
    if "socket" in status:
        yield f"backend at {status['socket']}, process {status['pid']}"
    for device in status["devices"]:
        yield _device_line(device)
        yield from _codec_lines(device["codecs"]) if codecs else _direction_lines(device["codecs"])
    for domain in status["domains"]:
        yield from _domain_lines(domain)
    yield from map(device_line, status.get("guests", ()))


def _device_line(device: Mapping[str, Any]) -> str:
    """A domain sees neither its power nor its hangs."""
    line = f"device {device['name']} ({device['driver']})"
    if "power" in device:
        line += f", {_POWER.get(device['power'], device['power'])}"
    hangs, resets = device.get("hangs", 0), device.get("resets", 0)
    return line + (f", hung {hangs} times, reset {resets} times" if hangs else "")


_POWER = {"unsupported": "power unmanaged"}
"""What is no word by itself."""


def _direction_lines(codecs: list[Mapping[str, Any]]) -> Iterator[str]:
    for direction in ("decode", "encode"):
        names = [each["codec"] for each in codecs if each["direction"] == direction]
        if names:
            yield f"  {direction}  {' '.join(names)}"


def _codec_lines(codecs: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in codecs:
        yield f"  {each['direction']} {each['codec']}, up to {each['width_max']}x{each['height_max']}"
        yield f"    formats   {' '.join(each['pixel_formats'])}"
        yield f"    controls  {' '.join(each['controls'])}"


def _domain_lines(domain: Mapping[str, Any]) -> Iterator[str]:
    known = ", ".join(domain.get("identities", ()))
    yield f"domain {domain['name']}" + (f" ({known})" if known else "")
    worker = domain.get("worker") or {}
    report = worker.get("report") or {}
    held = dict(domain.get("held", {})) | ({"sessions": report["sessions"]} if report else {})
    limits = (_limit_text(name, held.get(name), limit) for name, limit in domain["limits"].items() if name in _STORED)
    yield f"  {', '.join(limits)}"
    for channel in report.get("channels", ()):
        for session in channel["sessions"]:
            yield _session_line(channel, session)
    if truncated := report.get("truncated"):
        yield f"  {truncated} more sessions, for which its worker's report has no room"


_STORED = ("channels", "sessions", "buffers", "bytes", "outstanding", "memory")
"""Limits of what a domain may hold."""


def _limit_text(name: str, held: int | None, limit: int) -> str:
    most = _size(limit) if name in {"bytes", "memory"} else str(limit)
    if held is None:
        return f"{name} up to {most}"
    return f"{name} {_size(held) if name in {'bytes', 'memory'} else held} of {most}"


def _session_line(channel: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    return (
        f"  session {channel['channel']}.{session['session']}  {session['device']} {session['direction']} "
        f"{session['codec']}, {session['state']}: {session['inputs_done']} in ({_size(session['octets_in'])}), "
        f"{session['outputs_ready']} out ({_size(session['octets_out'])}), {session['errors']} errors, "
        f"device {session['device_ms'] / 1000:.1f} s, waited {session['waited_ms'] / 1000:.1f} s"
    )


def _size(octets: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if octets >= 1 << shift:
            return f"{octets / (1 << shift):.4g} {unit}"
    return f"{octets} B"
