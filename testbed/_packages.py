# SPDX-License-Identifier: Apache-2.0
"""arm64 Debian packages, fetched through an apt state of their own: the host's packages are not touched.

The host's own sources and keys are used, so apt checks what it fetches. What was chosen is kept in ``packages.json``
with the SHA-256 of each file; as long as the same packages are wanted and the files are as they were, nothing
is asked of the network.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from testbed._digest import sha256_of
from testbed._errors import TestbedError
from testbed._paths import BUILD
from testbed._run import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Package", "download", "fetch", "unpack"]

_STATE = BUILD / "apt"
_ARCHIVES = _STATE / "archives"
_LOCK = BUILD / "packages.json"
#: The second one is for tools that run here while something is built for the first.
_ARCHITECTURES = ("arm64", "amd64")
_URI = re.compile(r"'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """One archive of the closure that apt chose."""

    file: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return _ARCHIVES / self.file

    @property
    def name(self) -> str:
        """Of the package, without its version."""
        return self.file.partition("_")[0]

    def is_present(self) -> bool:
        """Says whether the file is there and is what apt said it would be."""
        return self.path.is_file() and sha256_of(self.path) == self.sha256


def _options(archives: Path = _ARCHIVES) -> list[str]:
    """An apt that knows nothing of this machine but its sources and keys."""
    values = {
        "Dir::State": _STATE,
        "Dir::State::lists": _STATE / "lists",
        "Dir::State::status": _STATE / "status",
        "Dir::Cache": _STATE,
        "Dir::Cache::archives": archives,
        "APT::Architecture": _ARCHITECTURES[0],
        "APT::Architectures": ",".join(_ARCHITECTURES),
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
        "Acquire::ForceHash": "SHA256",
        "Acquire::Retries": "3",
        "Debug::NoLocking": "1",
    }
    return [word for name, value in values.items() for word in ("-o", f"{name}={value}")]


def _update() -> None:
    """Fetches the lists of packages."""
    for folder in (_STATE / "lists/partial", _ARCHIVES / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (_STATE / "status").touch()
    run("apt-get", "-q", *_options(), "update")


def _choose(names: Sequence[str]) -> list[Package]:
    """The closure of the packages, as apt resolves it for an empty machine."""
    nothing = BUILD / "apt/nothing"
    (nothing / "partial").mkdir(parents=True, exist_ok=True)
    said = run("apt-get", "-qq", *_options(nothing), "--print-uris", "install", *names)
    found = [Package(match["file"], match["sha256"]) for match in _URI.finditer(said)]
    if not found:
        raise TestbedError(f"apt offers no arm64 packages for {' '.join(names)}:\n{said}")
    return sorted(found, key=lambda package: package.file)


def _locked(names: Sequence[str]) -> list[Package] | None:
    """What was chosen last time, if the same was wanted."""
    if not _LOCK.is_file():
        return None
    lock = json.loads(_LOCK.read_text(encoding="utf-8"))
    return [Package(**entry) for entry in lock["packages"]] if lock["wanted"] == sorted(names) else None


def fetch(names: Sequence[str]) -> list[Package]:
    """Brings the closure of the packages here; returns it, each file checked."""
    chosen = _locked(names)
    if chosen and all(package.is_present() for package in chosen):
        return chosen
    _update()
    chosen = _choose(names)
    for package in chosen:
        if not package.is_present():
            package.path.unlink(missing_ok=True)
    run("apt-get", "-q", "-y", *_options(), "--download-only", "install", *names)
    damaged = [package.file for package in chosen if not package.is_present()]
    if damaged:
        raise TestbedError(f"fetched, but not what the lists say: {' '.join(damaged)}")
    lock = {"wanted": sorted(names), "packages": [asdict(package) for package in chosen]}
    _LOCK.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
    return chosen


def download(names: Sequence[str], folder: Path) -> list[Path]:
    """Fetches just these packages, checked by apt, into a folder that is made anew for them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _update()
    run("apt-get", "-q", *_options(), "download", *names, cwd=folder)
    return sorted(folder.glob("*.deb"))


def unpack(package: Path, target: Path, *members: str) -> None:
    """Unpacks a package, or some members of it, into a tree whose ``bin``, ``sbin`` and ``lib`` may be links."""
    target.mkdir(parents=True, exist_ok=True)
    script = 'dpkg-deb --fsys-tarfile "$1" | tar -x --no-same-owner --keep-directory-symlink -C "$2" "${@:3}"'
    run("bash", "-o", "pipefail", "-c", script, "unpack", package, target, *members)
