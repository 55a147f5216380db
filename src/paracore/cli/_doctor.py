# SPDX-License-Identifier: Apache-2.0
"""``paracore doctor``: what this machine can and cannot do, and the remedy for each."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from paracore.cli._exit import ExitCode
from paracore.cli._options import add_file

if TYPE_CHECKING:
    import argparse

    from paracore.cli._examination import Finding

NAME = "doctor"
SUMMARY = "say what this machine can and cannot do, with the remedies"
EXAMPLES = """
  paracore doctor              for a person
  paracore doctor --json       for a bug report
"""

_MARKS = {"good": "ok  ", "fair": "note", "bad": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "--address", metavar="SOCKET", help="the backend to look at (default: the system's)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Examines; ``BACKEND`` when something stands in the way of any use."""
    from paracore.cli._examination import examine  # noqa: PLC0415 - looks at all there is

    findings = list(examine(arguments.address))
    if arguments.json:
        json.dump([finding._asdict() for finding in findings], sys.stdout, indent=2)
        print()
    else:
        for finding in findings:
            _show(finding)
    return ExitCode.BACKEND if any(finding.verdict == "bad" for finding in findings) else ExitCode.OK


def _show(finding: Finding) -> None:
    print(f"{_MARKS[finding.verdict]}  {finding.subject:18} {finding.text}")
    if finding.remedy:
        print(f"{'':6}{'':18} -> {finding.remedy}")
