# SPDX-License-Identifier: Apache-2.0
"""The cell that a domain of the demo lives in, as one command line.

bubblewrap, started by root, builds a read-only file system of /usr, this Python and the domain's clips, without
/dev, in mount, network, pid, ipc and uts namespaces of its own. ``setpriv`` then becomes the domain's own user
and ``unshare`` adds a user namespace, so that the backend still sees that user's number as the peer's credentials.
The only way out is the backend's socket.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from paracore._errors import ConfigError

__all__ = ["NAMESPACES", "SOCKET", "Sandbox", "check_sandbox"]

#: The namespaces that a domain has to itself, by their names in /proc/self/ns.
NAMESPACES = ("user", "mnt", "net", "pid", "ipc", "uts")

#: Where a domain finds the backend.
SOCKET = Path("/run/paracore/paracore.sock")

# Merged-/usr systems have these as links into /usr, others as folders.
_ROOTS = ("bin", "sbin", "lib", "lib32", "lib64")


@dataclass(frozen=True)
class Sandbox:
    """What one domain gets: its user's number, the backend's socket and the files it may read."""

    uid: int
    socket: Path
    files: tuple[Path, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs this interpreter with ``arguments`` in the cell."""
        return [*self._cell(), *self._user(), sys.executable, *arguments]

    def _cell(self) -> list[str]:
        readable = _without_nested([*_interpreter(), *self.files])
        mounts = [(path, path) for path in readable] + [(self.socket, SOCKET)]
        return [
            *("bwrap", "--die-with-parent", "--new-session", "--clearenv"),
            *("--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--hostname", "domain"),
            *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
            *_folders([inside for _, inside in mounts]),
            *_roots(),
            *("--proc", "/proc"),
            *(word for outside, inside in mounts for word in ("--ro-bind", str(outside), str(inside))),
            *("--remount-ro", "/", "--chdir", "/", "--setenv", "PYTHONUNBUFFERED", "1"),
            "--",
        ]

    def _user(self) -> list[str]:
        number = str(self.uid)
        become = ["setpriv", "--reuid", number, "--regid", number, "--clear-groups", "--no-new-privs"]
        return [*become, "unshare", "--user", "--map-current-user"]


def check_sandbox() -> None:
    """Raises ``ConfigError`` with the remedy when this process cannot start domains."""
    if os.geteuid() != 0:
        raise ConfigError("demo", "it starts each domain as a user of its own, which only root may: use sudo")
    for program, package in (("bwrap", "bubblewrap"), ("setpriv", "util-linux"), ("unshare", "util-linux")):
        if not any(Path(folder, program).exists() for folder in os.get_exec_path()):
            raise ConfigError("demo", f"{program} is missing: apt-get install {package}")


def _interpreter() -> list[Path]:
    """/usr, the interpreter, its virtual environment, and this package where it is installed from a source tree."""
    package = Path(__file__).parents[1]
    return [Path("/usr"), Path(sys.base_prefix), Path(sys.prefix), package]


def _without_nested(paths: list[Path]) -> list[Path]:
    """Outer folders only, in order: a mount of /usr holds /usr/local."""
    return [path for path in dict.fromkeys(paths) if not any(other in path.parents for other in paths)]


def _folders(paths: list[Path]) -> list[str]:
    """The folders above the mount points; bubblewrap would make them unreadable to other users."""
    parents = {parent for path in paths for parent in path.parents}
    return [word for folder in sorted(parents)[1:] for word in ("--perms", "0755", "--dir", str(folder))]


def _roots() -> list[str]:
    words: list[str] = []
    for name in _ROOTS:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words
