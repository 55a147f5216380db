# SPDX-License-Identifier: Apache-2.0
"""``paracore demo``: sandboxed domains decode real clips at once, compared with plain libav."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from paracore._errors import ConfigError
from paracore.cli._exit import ExitCode, complain

if TYPE_CHECKING:
    import argparse

__all__ = ["EXAMPLES", "NAME", "SUMMARY", "add_arguments", "run"]

NAME = "demo"
SUMMARY = "show two sandboxed domains decode real clips on one device (needs root)"
EXAMPLES = """
  sudo paracore demo                    report and pictures in build/demo
  sudo paracore demo --rounds 1         shorter
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=Path("build/demo"), help="of report.json and contact-sheet.png"
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="timed decodes of each clip (%(default)s)")
    parser.add_argument("--threads", metavar="N", type=int, default=1, help="codec threads of a domain (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 when every picture was right and every domain confined."""
    from paracore.demo import DomainFailed, ProgramFailed  # noqa: PLC0415 - not for the help

    if find_spec("PIL") is None:
        raise ConfigError("demo", "what it draws with is not installed: pip install 'paracore[demo]'")
    from paracore.demo.show import Options, run  # noqa: PLC0415

    try:
        good = run(Options(arguments.output, max(1, arguments.rounds), arguments.threads))
    except (DomainFailed, ProgramFailed) as error:
        complain(str(error))
        return ExitCode.FAULT
    return ExitCode.OK if good else ExitCode.FAULT
