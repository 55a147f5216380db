# SPDX-License-Identifier: Apache-2.0
"""``python -m testbed``: a board on the command line; ``paracore testbed`` is the same."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import termios
import tty
from typing import TYPE_CHECKING

from testbed._board import Board, folder_of
from testbed._errors import TestbedError
from testbed._image import build
from testbed._qemu import Options
from testbed.domain.agent import Kind

if TYPE_CHECKING:
    from pathlib import Path

GUESTS = ("d1", "d2")


def _folder(arguments: argparse.Namespace) -> Path:
    return folder_of(str(arguments.board))


def _build(_: argparse.Namespace) -> int:
    build()
    return 0


def _up(arguments: argparse.Namespace) -> int:
    """A board with guests that is left running."""
    options = Options(memory=arguments.memory, processors=arguments.processors, xen=arguments.xen)
    guests = GUESTS[: arguments.guests]
    Board(_folder(arguments), options, guests).boot(detached=True)
    print(f"the board is up with {' and '.join(('dom0', *guests))}; `down` ends it")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    """Ends a board."""
    Board.attach(_folder(arguments)).power_off()
    return 0


def _push(arguments: argparse.Namespace) -> int:
    """Brings the source tree, as it is now, into dom0 and all guests."""
    board = Board.attach(_folder(arguments))
    for domain in arguments.domains or ["dom0", *board.guests()]:
        print(f"{domain}: {board.push(domain)} files")
    return 0


def _show(kind: Kind, octets: bytes) -> None:
    stream = sys.stderr if kind is Kind.ERRORS else sys.stdout
    stream.buffer.write(octets)
    stream.flush()


def _run(arguments: argparse.Namespace) -> int:
    """Runs one command; its status is this one's."""
    board = Board.attach(_folder(arguments))
    with board.start(arguments.domain, *arguments.words, directory=arguments.directory, receive=_show) as process:
        if not sys.stdin.isatty():
            process.write(sys.stdin.buffer.read() if arguments.input else b"")
        process.end_input()
        status = process.wait(arguments.timeout).status
    return status if status >= 0 else 128 - status


def _console(arguments: argparse.Namespace) -> int:
    """A shell in a domain, on this terminal."""
    board = Board.attach(_folder(arguments))
    size = shutil.get_terminal_size()
    environment = {"TERM": os.environ.get("TERM", "dumb")}
    before = termios.tcgetattr(0)
    with board.start(
        arguments.domain, "bash", "-i", terminal=(size.lines, size.columns), environment=environment, receive=_show
    ) as process:
        try:
            tty.setraw(0)
            while process.is_running() and (octets := os.read(0, 1024)):
                process.write(octets)
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed", description="An emulated ARM64 board with Xen, dom0 and guests.")
    parser.add_argument("--board", metavar="NAME", default="board", help="one of several (board)")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    verb = verbs.add_parser("build", help="fetch and build what a board boots from")
    verb.set_defaults(call=_build)
    verb = verbs.add_parser("up", help="start a board in the background, from a snapshot after the first time")
    verb.add_argument("--guests", type=int, choices=range(len(GUESTS) + 1), default=2, help="how many (2)")
    verb.add_argument("--memory", type=int, metavar="MIB", default=Options.memory, help=f"({Options.memory})")
    verb.add_argument("--processors", type=int, metavar="N", default=Options.processors, help=f"({Options.processors})")
    verb.add_argument("--xen", metavar="WORDS", default="", help="more options for Xen")
    verb.set_defaults(call=_up)
    verb = verbs.add_parser("run", help="run a command: run DOMAIN -- COMMAND...")
    verb.add_argument("--timeout", type=float, metavar="SECONDS", help="end it then")
    verb.add_argument("--directory", metavar="PATH", help="to run it in (/root)")
    verb.add_argument("--input", action="store_true", help="give it this command's standard input")
    verb.add_argument("domain", metavar="DOMAIN", help="dom0, d1, d2")
    verb.add_argument("words", metavar="COMMAND", nargs="+")
    verb.set_defaults(call=_run)
    verb = verbs.add_parser("push", help="bring the source tree, as it is now, into the domains")
    verb.add_argument("domains", metavar="DOMAIN", nargs="*", help="these only")
    verb.set_defaults(call=_push)
    verb = verbs.add_parser("console", help="a shell in a domain")
    verb.add_argument("domain", metavar="DOMAIN")
    verb.set_defaults(call=_console)
    verb = verbs.add_parser("down", help="end the board")
    verb.set_defaults(call=_down)
    return parser


def main() -> int:
    """Does one verb."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.call(arguments))
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
