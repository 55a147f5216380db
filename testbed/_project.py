# SPDX-License-Identifier: Apache-2.0
"""The project's own files as the domains have them: its Python, its tests, what was built for arm64.

They lie in ``/opt/paracore``, laid out as the source tree, Python's compiled files among them: what the host has compiled
the domains need not. A board boots with them on a second disk, so nothing is copied; later changes are copied alone.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

from testbed._errors import TestbedError
from testbed._image import TREE
from testbed._paths import ROOT
from testbed._run import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["PLACE", "archive", "build", "files", "make_disk", "state"]

#: Where the project lies in a domain.
PLACE = "/opt/paracore"

#: Where hatch_build.py leaves the native parts for arm64.
_BUILT = ROOT / "build" / "aarch64" / "package"

_FOLDERS = ("src/paracore", "tests", "testbed", "bench")
_FILES = ("pyproject.toml", "packaging/paracore.toml", "packaging/paracore.service", "specs/paracore.toml")
_COMPILED = ("src/paracore",)
_NATIVE = "src/paracore/_native"
_SCRIPT = "#!/usr/bin/python3\nimport sys\nfrom paracore.cli import main\nsys.exit(main())\n"


def build() -> None:
    """Brings what is compiled up to date: the native parts for arm64, and Python's own."""
    run(sys.executable, "hatch_build.py", cwd=ROOT, environment={**os.environ, "PARACORE_SYSROOT": str(TREE)})
    if sys.version_info[:2] == (3, 11):
        run(sys.executable, "-m", "compileall", "-q", *(ROOT / folder for folder in _COMPILED))


def _is_carried(path: Path) -> bool:
    if path.parent.name == "__pycache__":
        return path.name.endswith(".cpython-311.pyc") and path.is_relative_to(ROOT / "src")
    return path.suffix not in (".so", ".0", ".new") and path.name != "plain-decode"


def _listed() -> Iterator[tuple[str, Path]]:
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and _is_carried(path):
                yield str(path.relative_to(ROOT)), path
    yield from ((name, ROOT / name) for name in _FILES if (ROOT / name).is_file())
    yield from ((f"{_NATIVE}/{path.name}", path) for path in sorted(_BUILT.iterdir()))


def files() -> dict[str, Path]:
    """All that is carried, by its name in the domain."""
    return dict(_listed())


def state(carried: Mapping[str, Path]) -> dict[str, list[int]]:
    """What tells a changed file from the same one."""
    found = ((name, path.stat()) for name, path in carried.items())
    return {name: [status.st_mtime_ns, status.st_size] for name, status in found}


def archive(carried: Mapping[str, Path]) -> bytes:
    """A tar archive of files."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w") as tar:
        for name, path in carried.items():
            tar.add(path, name, filter=_of_root)
    return octets.getvalue()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def make_disk(carried: Mapping[str, Path], boot: Path, output: Path) -> None:
    """The disk that is laid above the other: the project, its program, and what dom0 boots guests from."""
    script = output.with_suffix(".script")
    script.write_text(_SCRIPT, encoding="ascii")
    script.chmod(0o755)
    laid = {f"{PLACE[1:]}/{name}": path for name, path in carried.items()}
    laid |= {"usr/local/bin/paracore": script, "usr/lib/testbed/boot.cpio": boot}
    words = ["sqfstar", "-comp", "lz4", "-no-xattrs", "-no-progress", "-quiet", "-force", str(output)]
    done = subprocess.run(words, input=archive(laid), capture_output=True, check=False)
    if done.returncode:
        raise TestbedError(f"sqfstar failed:\n{done.stdout.decode()}{done.stderr.decode()}")
