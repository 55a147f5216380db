# SPDX-License-Identifier: Apache-2.0
"""The table of subcommands and the parser made of it.

A subcommand is a module with ``NAME``, ``SUMMARY``, ``EXAMPLES``, ``add_arguments`` and ``run``. It is imported
to make the parser, so it imports what is heavy only in ``run``.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import paracore
from paracore.cli._exit import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Command", "make_parser"]

#: Modules of the subcommands in the order of the help.
COMMANDS = (
    "paracore.cli._decode",
    "paracore.cli._encode",
    "paracore.cli._transcode",
    "paracore.cli._run",
    "paracore.cli._env",
    "paracore.cli._list",
    "paracore.cli._top",
    "paracore.cli._metrics",
    "paracore.cli._trace",
    "paracore.cli._device",
    "paracore.cli._domain",
    "paracore.cli._serve",
    "paracore.cli._reload",
    "paracore.cli._attach",
    "paracore.cli._detach",
    "paracore.cli._frontend",
    "paracore.cli._doctor",
    "paracore.cli._demo",
    "paracore.cli._bench",
    "paracore.cli._testbed",
    "paracore.cli._completion",
)

_EPILOG = """examples:
  paracore decode clip.mp4 -o clip.y4m           decode a file
  paracore decode clip.mp4 --framehash           print a hash of each picture
  paracore transcode clip.mp4 -o clip.webm --codec vp9
  paracore run -- ffmpeg -c:v h264_v4l2m2m -i clip.mp4 -f null -
  paracore doctor                                what this machine can do

Without a running backend, decode, encode, transcode and run start a private one.

exit codes:
"""


class Command(Protocol):
    """A subcommand's module."""

    NAME: str
    SUMMARY: str
    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares options."""

    def run(self, arguments: argparse.Namespace) -> int | None:
        """Does it; returns an exit code, None for success."""


class _Parser(argparse.ArgumentParser):
    """Draws its help with rich, which takes as long to load as all the rest: only when there is something to draw."""

    def format_help(self) -> str:
        self._use_rich()
        return super().format_help()

    def format_usage(self) -> str:
        self._use_rich()
        return super().format_usage()

    def _use_rich(self) -> None:
        from rich_argparse import RawDescriptionRichHelpFormatter  # noqa: PLC0415 - see above

        self.formatter_class = RawDescriptionRichHelpFormatter


def make_parser(modules: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command line; ``arguments.run`` is the subcommand's."""
    parser = _Parser(
        prog="paracore",
        description="Paravirtual coprocessors: isolated domains use the host's video codec.",
        epilog=_escaped(_EPILOG + "\n".join(f"  {code:3}  {code.meaning}" for code in ExitCode)),
    )
    parser.add_argument("--version", action="version", version=f"paracore {paracore.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, dest="command", prog="paracore")
    for module in modules:
        _add(subparsers, cast("Command", import_module(module)))
    return parser


def _add(subparsers: argparse._SubParsersAction[_Parser], command: Command) -> None:
    parser = subparsers.add_parser(
        command.NAME,
        help=command.SUMMARY,
        description=command.SUMMARY[:1].upper() + command.SUMMARY[1:] + ".",
        epilog=_escaped(f"examples:\n{command.EXAMPLES.strip(chr(10))}") if command.EXAMPLES else None,
    )
    command.add_arguments(parser)
    parser.set_defaults(run=command.run, parser=parser)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[").replace("%", "%%")
