# SPDX-License-Identifier: Apache-2.0
"""``paracore testbed``: an emulated board for developers. It lies in the source tree, beside the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from paracore._errors import ConfigError

__all__ = ["EXAMPLES", "NAME", "SUMMARY", "add_arguments", "run"]

NAME = "testbed"
SUMMARY = "boot and use Xen on an emulated ARM64 board (in a source tree)"
EXAMPLES = """
  paracore testbed up                        dom0 and two guests, d1 and d2, in the background
  paracore testbed run dom0 -- xl list       run a command there; its status is this one's
  paracore testbed run d1 -- paracore list
  paracore testbed push                      bring the source tree, as it is now, into all of them
  paracore testbed console d1                a shell
  paracore testbed down
  paracore testbed up --help                 what else can be chosen
"""

VERBS = ("build", "up", "run", "push", "console", "down")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options; those of the verbs are the testbed's own."""
    parser.add_argument("--board", metavar="NAME", help="one of several")
    parser.add_argument("verb", choices=VERBS, help="what to do")
    parser.add_argument("words", metavar="...", nargs=argparse.REMAINDER, help="what belongs to it")


def run(arguments: argparse.Namespace) -> int:
    """Runs ``python -m testbed`` in the source tree."""
    tree = Path(__file__).resolve().parents[3]
    if not (tree / "testbed" / "__main__.py").is_file():
        raise ConfigError("testbed", "the testbed is not installed; use it in a source tree")
    board = ["--board", arguments.board] if arguments.board else []
    words = [sys.executable, "-m", "testbed", *board, arguments.verb, *arguments.words]
    return subprocess.run(words, cwd=tree, check=False).returncode
