# SPDX-License-Identifier: Apache-2.0
"""Python packages for arm64, as wheels: what Debian has is too old, or is missing.

They are fetched once into ``build/testbed/wheels`` and their digests kept; pip checks them against the index then.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from testbed._digest import sha256_of
from testbed._paths import BUILD
from testbed._run import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["fetch", "unpack"]

_FOLDER = BUILD / "wheels"
_LOCK = BUILD / "wheels.json"
_FOR = [f"--platform=manylinux{version}_aarch64" for version in ("2014", "_2_27", "_2_28", "_2_31", "_2_34")]
_FOR += ["--python-version=3.11", "--implementation=cp", "--only-binary=:all:"]


def _pip(*words: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *words)


def _digests() -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(_FOLDER.glob("*.whl"))}


def fetch(requirements: Sequence[str]) -> list[Path]:
    """Brings the wheels here, with all that they need; returns them, each checked."""
    wanted = sorted(requirements)
    lock = json.loads(_LOCK.read_text(encoding="utf-8")) if _LOCK.is_file() else {}
    if lock.get("wanted") != wanted or lock.get("wheels") != _digests():
        shutil.rmtree(_FOLDER, ignore_errors=True)
        _pip("download", "--dest", _FOLDER, *_FOR, *wanted)
        lock = {"wanted": wanted, "wheels": _digests()}
        _LOCK.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
    return [_FOLDER / name for name in lock["wheels"]]


def unpack(wheels: Sequence[Path], target: Path) -> None:
    """Installs them into a folder of packages."""
    _pip("install", "--no-index", "--no-deps", "--no-compile", "--target", target, *_FOR, *wheels)
