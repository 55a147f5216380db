# SPDX-License-Identifier: Apache-2.0
"""``python -m codegen [--check]``: makes the artefacts, or says which of them are not current."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from codegen._artefacts import artefacts
from codegen._load import SpecError

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1: the specification is wrong, or with ``--check`` an artefact is not current."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description="Makes every artefact of the wire.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file would change")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        files = artefacts(options.root)
    except SpecError as error:
        print(f"codegen: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if _differs(options.root / path, text)]
    for path in stale:
        print(f"{'stale' if options.check else 'made'}: {path}")
        if not options.check:
            _write(options.root / path, files[path])
    return 1 if options.check and stale else 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
