# SPDX-License-Identifier: Apache-2.0
"""``paracore top``: which domain uses how much of the devices, again and again."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from paracore.cli._options import add_file, count, seconds
from paracore.cli._usage import DeviceUsage, Rates, Usage, devices_of, rates_of, usages_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

NAME = "top"
SUMMARY = "show live how much each domain uses"
EXAMPLES = """
  paracore top                       live; keys: s sorts by the next column, r the other way round, q ends
  paracore top --sort pictures --interval 5
  paracore top --updates 1           one look, for a script
  paracore top --json | jq .domains  a line of JSON for each look
"""

#: Seconds to the first rates.
_SOON = 0.5

#: Columns of a table that goes to no terminal.
_PAGE = 160


class Row(NamedTuple):
    """One domain at one look."""

    usage: Usage
    rates: Rates


class Look(NamedTuple):
    """What there is at one moment.

    Attributes:
        passed: seconds since the look before.
    """

    passed: float
    rows: list[Row]
    devices: list[DeviceUsage]


class Column(NamedTuple):
    """What a column shows, and what it is sorted by."""

    name: str
    title: str
    key: Callable[[Row], Any]
    text: Callable[[Row], str]


def _octets(number: float) -> str:
    """As few characters as say it."""
    for unit in ("", "K", "M"):
        if number < 1024:
            return f"{number:.0f}{unit}"
        number /= 1024
    return f"{number:.1f}G"


def _number(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row.usage, name)


def _plain(name: str, title: str) -> Column:
    return Column(name, title, _number(name), lambda row: str(getattr(row.usage, name)))


COLUMNS = (
    Column("domain", "domain", _number("domain"), lambda row: row.usage.domain),
    Column("device", "device %", lambda row: row.rates.device, lambda row: f"{100 * row.rates.device:.1f}"),
    Column("pictures", "pictures/s", lambda row: row.rates.pictures, lambda row: f"{row.rates.pictures:.1f}"),
    Column("units", "units/s", lambda row: row.rates.units, lambda row: f"{row.rates.units:.1f}"),
    Column("time", "device s", _number("device_seconds"), lambda row: f"{row.usage.device_seconds:.1f}"),
    Column("waited", "waited s", _number("waited_seconds"), lambda row: f"{row.usage.waited_seconds:.1f}"),
    Column("throttled", "throttled s", _number("throttled_seconds"), lambda row: f"{row.usage.throttled_seconds:.1f}"),
    _plain("sessions", "sessions"),
    _plain("buffers", "buffers"),
    Column("octets", "memory", _number("octets"), lambda row: _octets(row.usage.octets)),
    _plain("copies", "copies"),
    _plain("errors", "errors"),
    _plain("refused", "refused"),
    _plain("failed", "failed"),
    _plain("violations", "violations"),
)
"""In the order in which they are shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("--interval", type=seconds, default=1.0, metavar="S", help="seconds between looks (default: 1)")
    parser.add_argument("--updates", type=count, default=0, metavar="N", help="end after so many (default: 0, never)")
    names = [column.name for column in COLUMNS]
    parser.add_argument("--sort", choices=names, default="device", help="by which column (default: device)")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each look")
    add_file(parser, "--address", metavar="SOCKET", help="the backend's (default: $PARACORE_SOCKET, else the system's)")


def run(arguments: argparse.Namespace) -> None:
    """Looks until told to end."""
    order = Order(next(number for number, column in enumerate(COLUMNS) if column.name == arguments.sort))
    if arguments.json:
        for look in _looks(arguments, _sleep):
            print(json.dumps(_as_json(look)), flush=True)
    elif sys.stdout.isatty() and sys.stdin.isatty():
        _live(arguments, order)
    else:
        _paged(arguments, order)


def _looks(arguments: argparse.Namespace, wait: Callable[[float], bool]) -> Iterator[Look]:
    """One after the other. ``wait`` gets the seconds until the next and returns whether to go on."""
    from paracore.frontend import backend_status, default_address  # noqa: PLC0415 - needs the native library

    address = arguments.address or default_address()
    before: dict[str, Usage] = {}
    at, looked = 0.0, 0
    while not arguments.updates or looked <= arguments.updates:
        status, now = backend_status(address), time.monotonic()
        usages = usages_of(status)
        if looked:
            rows = [Row(usage, rates_of(before.get(usage.domain), usage, now - at)) for usage in usages]
            yield Look(now - at, rows, devices_of(status))
        before, at = {usage.domain: usage for usage in usages}, now
        # the first rates come soon, as somebody waits for them
        if looked == arguments.updates > 0 or not wait(
            arguments.interval if looked else min(_SOON, arguments.interval)
        ):
            return
        looked += 1


def _sleep(pause: float) -> bool:
    time.sleep(pause)
    return True


def _as_json(look: Look) -> dict[str, Any]:
    return {
        "seconds": round(look.passed, 3),
        "domains": [asdict(row.usage) | {"rates": asdict(row.rates)} for row in look.rows],
        "devices": [asdict(device) for device in look.devices],
    }


class Order:
    """What is sorted by, and whether the other way round: names upwards, numbers downwards."""

    def __init__(self, column: int) -> None:
        self.column = column
        self._reverse = False

    def key(self, key: str) -> bool:
        """Takes a key; false when it says to end."""
        if key == "s":
            self.column = (self.column + 1) % len(COLUMNS)
        elif key == "r":
            self._reverse = not self._reverse
        return key not in ("q", "\x03", "")

    def sort(self, rows: Sequence[Row]) -> list[Row]:
        """The rows in order; those alike by name."""
        column = COLUMNS[self.column]
        downwards = column.name != "domain"
        by_name = sorted(rows, key=lambda row: row.usage.domain)
        return sorted(by_name, key=column.key, reverse=downwards != self._reverse)


def _paged(arguments: argparse.Namespace, order: Order) -> None:
    """One table after another, for a file or a pipe."""
    from rich.console import Console  # noqa: PLC0415 - for this and the next alone

    console = Console(width=_PAGE)
    for look in _looks(arguments, _sleep):
        console.print(_table(order, look))


def _live(arguments: argparse.Namespace, order: Order) -> None:
    """On the whole screen, until a key ends it."""
    from rich.live import Live  # noqa: PLC0415 - for terminals only

    look = Look(0.0, [], [])
    with _keys(), Live(screen=True, auto_refresh=False) as live:

        def show() -> None:
            live.update(_table(order, look), refresh=True)

        for look in _looks(arguments, lambda pause: _heed(order, pause, show)):  # noqa: B007 - `show` reads it
            show()


def _heed(order: Order, pause: float, show: Callable[[], None]) -> bool:
    """Waits and does what keys say meanwhile; false at the one that ends it."""
    until = time.monotonic() + pause
    while (left := until - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0]:
            if not order.key(os.read(sys.stdin.fileno(), 1).decode(errors="replace")):
                return False
            show()
    return True


@contextmanager
def _keys() -> Iterator[None]:
    """Keys come one by one and are not shown."""
    import termios  # noqa: PLC0415 - for terminals only
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _device_text(device: DeviceUsage) -> str:
    return f"{device.device}: {device.power}" + (f", {device.hangs} hangs, {device.resets} resets" * bool(device.hangs))


def _table(order: Order, look: Look) -> Table:
    from rich.table import Table  # noqa: PLC0415 - loaded with what shows it

    devices = "; ".join(map(_device_text, look.devices))
    table = Table(
        box=None, pad_edge=False, header_style="bold", caption=devices, caption_justify="left", caption_style=""
    )
    for number, column in enumerate(COLUMNS):
        mark = "*" if number == order.column else ""
        table.add_column(column.title + mark, justify="left" if column.name == "domain" else "right", no_wrap=True)
    for row in order.sort(look.rows):
        table.add_row(*(column.text(row) for column in COLUMNS))
    return table
