# SPDX-License-Identifier: Apache-2.0
"""The command line: one module for each subcommand, see ``_parser.COMMANDS``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from paracore.cli._exit import ExitCode, explain, output_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExitCode", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    from paracore.cli._parser import make_parser  # noqa: PLC0415 - after the interpreter is up, for Ctrl-C

    try:
        arguments = make_parser().parse_args(argv)
        code = arguments.run(arguments) or ExitCode.OK
        with output_errors("standard output"):
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        told = explain(error)
        if told is None:
            raise
        code = told
    if code in {ExitCode.CLOSED_PIPE, ExitCode.OUTPUT}:
        _forget_standard_output()
    return int(code)


def _forget_standard_output() -> None:
    """What could not be written shall not be tried again, and complained about, when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
