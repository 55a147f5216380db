# SPDX-License-Identifier: Apache-2.0
"""What a domain costs the host while it does nothing: processor time and proportional memory.

Memory is what the backend's processes weigh (PSS, shared pages divided among those that share them) with the
domains connected, less what they weigh without, divided by their number. Processor time is the kernel's own
account in nanoseconds of all of the backend's threads.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench._report import Result, of_value
from bench.startup import connect_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench._setting import Setting
    from paracore.demo import Backend

__all__ = ["BENCHMARKS", "memory_of", "processor_time", "settle"]

_DOMAINS = 16
_SETTLE = 2.0


def idle(setting: Setting) -> Iterator[Result]:
    """Sixteen domains connect, ask for the devices, and then do nothing."""
    count = min(_DOMAINS, setting.domains_max)
    with setting.backend(count) as backend, ExitStack() as stack:
        settle()
        before = _memory(backend)
        connect_all(stack, setting, backend, count)
        settle()
        after = _memory(backend)
        seconds = 2.0 if setting.quick else 10.0
        used = -processor_time(backend)
        time.sleep(seconds)
        used += processor_time(backend)
    yield of_value("idle-memory", "MiB", (after - before) / count / 2**20, domains=count, backend_alone=before / 2**20)
    yield of_value("idle-cpu", "ms/s", round(used / seconds / count * 1e3, 2), domains=count)


def settle() -> None:
    """Gives the backend the time to come to rest."""
    time.sleep(_SETTLE)


def _processes(backend: Backend) -> list[int]:
    supervisor = psutil.Process(backend.process.pid)
    return [supervisor.pid, *(child.pid for child in supervisor.children(recursive=True))]


def _memory(backend: Backend) -> int:
    return sum(memory_of(pid) for pid in _processes(backend))


def memory_of(pid: int, kind: str = "Pss") -> int:
    """Octets of that kind, see smaps_rollup in proc(5): its proportional part, or what is ``Anonymous``."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def processor_time(backend: Backend) -> float:
    """Seconds so far of all of the backend's threads."""
    threads = (thread for pid in _processes(backend) for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"idle": idle}
