# SPDX-License-Identifier: Apache-2.0
"""A backend of one's own: ``paracore serve`` with a generated configuration, in a folder of its own.

Used by the demo and the benchmarks; it is the same program and the same socket as in a deployment.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from paracore._errors import TransportBroken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Backend", "Member"]

_PROGRAM = Path(sys.executable).with_name("paracore")
_DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM")
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Member:
    """A domain of the configuration: its name, how the backend knows it, and its part of the device's time."""

    name: str
    uid: int | None = None
    gid: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    weight: int = 100

    def toml(self) -> str:
        """Its ``[[domain]]`` table."""
        known = {"user": self.uid, "group": self.gid}
        lines = ["[[domain]]", f'name = "{self.name}"', f"weight = {self.weight}"]
        lines += [f"{option} = {number}" for option, number in known.items() if number is not None]
        lines += [f"limits.{option} = {value}" for option, value in self.limits.items()]
        return "\n".join(lines) + "\n"


class Backend:
    """A running backend with one device; a context manager that ends it.

    Attributes:
        socket: where domains connect.
        process: the supervisor.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        device: str = "vpu0",
        driver: str = "libav",
        settings: Mapping[str, float] | None = None,
        slots: int = 0,
        policy: str = "fair",
        options: Mapping[str, float] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="paracore-"))
        self.folder.chmod(0o711)  # other users reach the socket and see nothing else
        self.socket = self.folder / "paracore.sock"
        self._log = self.folder / "log"
        configuration = self.folder / "paracore.toml"
        section = (
            f'[[device]]\nname = "{device}"\ndriver = "{driver}"\nslots = {slots}\npolicy = "{policy}"\n'
            + "".join(f"options.{name} = {value}\n" for name, value in (settings or {}).items())
        )
        configuration.write_text(_configuration(self.socket, section, members, options or {}), encoding="utf-8")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_DIES_WITH_US, _PROGRAM, "serve", "--config", configuration],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def log(self) -> str:
        """What the backend has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def status(self) -> dict[str, Any]:
        """What ``paracore list --json`` says."""
        words = [str(_PROGRAM), "list", "--json", "--address", str(self.socket)]
        return dict(json.loads(subprocess.run(words, check=True, capture_output=True).stdout))

    def workers(self) -> dict[int, dict[str, Any]]:
        """What each worker says of itself, by its process."""
        workers = [domain["worker"] for domain in self.status()["domains"]]
        return {worker["pid"]: worker["report"] for worker in workers if worker}

    def pixel_copies(self) -> int:
        """Pictures whose pixels paracore had to copy, as the workers have counted."""
        return sum(report["counts"]["copies"] for report in self.workers().values())

    def close(self) -> None:
        """Ends the backend and removes its folder. Idempotent."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(self.socket):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log().strip()
                self.close()
                raise TransportBroken(f"the backend did not start: {said or 'no word from it'}")
            time.sleep(0.02)


def _configuration(path: Path, device: str, members: Sequence[Member], options: Mapping[str, float]) -> str:
    head = f'[backend]\nsocket = "{path}"\n'
    head += "".join(f"{name} = {value!r}\n" for name, value in options.items())
    return "\n".join([head, device, *(member.toml() for member in members)])


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(str(path)) == 0
