# SPDX-License-Identifier: Apache-2.0
"""The project's own files as they are carried into a domain: its Python, its tests, what was built for arm64.

They lie in ``/opt/paracore`` there, laid out as the source tree. Compiled Python goes with them: what the host has
compiled the domain need not.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from typing import TYPE_CHECKING

from testbed._image import TREE
from testbed._paths import ROOT
from testbed._run import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["project_archive"]

#: Where hatch_build.py leaves the native parts for arm64.
_BUILT = ROOT / "build" / "aarch64" / "package"

_FOLDERS = ("src/paracore", "tests", "testbed", "bench")
_FILES = ("pyproject.toml", "packaging/paracore.toml", "packaging/paracore.service", "specs/paracore.toml")
_NATIVE = "src/paracore/_native"
_SCRIPT = "#!/usr/bin/python3\nimport sys\nfrom paracore.cli import main\nsys.exit(main())\n"


def _is_carried(path: Path) -> bool:
    if path.parent.name == "__pycache__":
        return path.name.endswith(".cpython-311.pyc")
    return path.suffix not in (".so", ".0", ".new") and path.name != "plain-decode"


def _files() -> Iterator[tuple[Path, str]]:
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and _is_carried(path):
                yield path, str(path.relative_to(ROOT))
    yield from ((ROOT / name, name) for name in _FILES if (ROOT / name).is_file())
    yield from ((path, f"{_NATIVE}/{path.name}") for path in sorted(_BUILT.iterdir()))


def _build() -> None:
    """Brings what is compiled up to date: the native parts for arm64, and Python's own."""
    run(sys.executable, "hatch_build.py", cwd=ROOT, environment={**os.environ, "PARACORE_SYSROOT": str(TREE)})
    if sys.version_info[:2] == (3, 11):
        run(sys.executable, "-m", "compileall", "-q", ROOT / "src/paracore", ROOT / "tests")


def project_archive() -> bytes:
    """A tar archive of it all."""
    _build()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, name in _files():
            tar.add(path, name)
        script = tarfile.TarInfo("bin/paracore")
        script.mode, script.size = 0o755, len(_SCRIPT)
        tar.addfile(script, io.BytesIO(_SCRIPT.encode()))
    return archive.getvalue()
