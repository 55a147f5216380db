# SPDX-License-Identifier: Apache-2.0
"""``paracore bench``: measures the promises. The benchmarks lie in the source tree, beside the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paracore._errors import ConfigError

if TYPE_CHECKING:
    import argparse

__all__ = ["EXAMPLES", "NAME", "SUMMARY", "add_arguments", "run"]

NAME = "bench"
SUMMARY = "measure the promises of SPECIFICATION.md beside plain libav (in a source tree)"
EXAMPLES = """
  make bench                            all of it; report and plots in build/bench
  paracore bench --quick                fewer and shorter measurements (shortened decodes are not judged)
  paracore bench --only decode-480p     one of them
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this one; repeatable")
    parser.add_argument("--xen", action="store_true", help="also those on the emulated board")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements")
    parser.add_argument("--pairs", metavar="N", type=int, help="measurements of each")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="of the report (build/bench)")


def run(arguments: argparse.Namespace) -> int:
    """Runs ``python -m bench`` in the source tree."""
    tree = Path(__file__).resolve().parents[3]
    if not (tree / "bench" / "__main__.py").is_file():
        raise ConfigError("bench", "the benchmarks are not installed; run `make bench` in a source tree")
    words = [word for name in arguments.only for word in ("--only", name)]
    words += ["--xen"] if arguments.xen else []
    words += ["--quick"] if arguments.quick else []
    words += ["--pairs", str(arguments.pairs)] if arguments.pairs else []
    words += ["--output", str(arguments.output.resolve())] if arguments.output else []
    return subprocess.run([sys.executable, "-m", "bench", *words], cwd=tree, check=False).returncode
