# SPDX-License-Identifier: Apache-2.0
"""Other domains of the machine while something is measured: greedy ones, hostile ones. They go on until they are ended."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from paracore.demo import ProgramFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench._setting import Setting
    from paracore.demo import Backend

__all__ = ["greedy", "hostile", "used_ms"]

_SETTLE: Final = 1.0
"""Seconds that they have to come to full speed."""
_PATIENCE: Final = 60.0


@contextmanager
def greedy(setting: Setting, backend: Backend, clip: Path, numbers: Sequence[int]) -> Iterator[None]:
    """These domains decode a clip over and over, as fast as they can. All are at work when this begins."""
    words = setting.client("greedy", backend.socket, clip)
    with _running([(words, setting.gid(number)) for number in numbers]) as clients:
        before = used_ms(backend)
        _wait(clients, lambda: all(used_ms(backend)[number] > before[number] for number in numbers))
        yield


@contextmanager
def hostile(setting: Setting, backend: Backend, number: int) -> Iterator[None]:
    """A program of this domain sends what cannot be, without end."""
    words = setting.client("hostile", backend.socket, number)
    with _running([(words, setting.gid(number))]) as clients:
        before = _violations(backend, number)
        _wait(clients, lambda: _violations(backend, number) > before)
        yield


def used_ms(backend: Backend) -> list[int]:
    """Milliseconds of device time so far, in the order of the domains."""
    return [domain["time"]["vpu0"]["used_ms"] for domain in backend.status()["domains"]]


def _violations(backend: Backend, number: int) -> int:
    return int(backend.status()["domains"][number]["violations"])


@contextmanager
def _running(programs: Sequence[tuple[Sequence[str], int | None]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Programs, each in its group; they have ended when this does."""
    clients = [subprocess.Popen(words, group=gid, extra_groups=[]) for words, gid in programs]
    try:
        yield clients
    finally:
        for client in clients:
            client.kill()
            client.wait()


def _wait(clients: Sequence[subprocess.Popen[bytes]], at_work: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not at_work():
        if time.monotonic() > until or any(client.poll() is not None for client in clients):
            raise ProgramFailed("a neighbour is not at work")
        time.sleep(0.05)
    time.sleep(_SETTLE)
