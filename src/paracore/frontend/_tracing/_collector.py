# SPDX-License-Identifier: Apache-2.0
"""Reads the memories of one trace, workers' and programs', until somebody says that it is enough.

What is kept is bounded: a trace that is forgotten does not fill the machine.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import RemoteProtocolError
from paracore.frontend._tracing._memory import TraceMemory
from paracore.protocol import TRACE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paracore.classes import TraceRecord

__all__ = ["ROUND", "Collector", "Found"]

ROUND: Final = 0.02
"""Seconds between two looks: a memory holds what a worker records in a tenth of a second even without any real work."""
_RECORDS_MAX: Final = 1 << 20
"""Records that are kept: some 200 MiB. What comes beyond is counted as lost."""
_FILES_MAX: Final = 256
"""Programs whose side is read."""


class Found(NamedTuple):
    """A record and who has written it: a domain's worker, or "" for a program."""

    domain: str
    record: TraceRecord


class Collector:
    """See the module.

    Attributes:
        found: all records so far.
        begun: when, by the monotonic clock, in nanoseconds; of workers only what is later counts.
        domains: whose workers are read.
        programs: how many programs are.
    """

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.begun = time.monotonic_ns()
        self.domains: list[str] = []
        self.programs = 0
        self._memories: list[tuple[str, TraceMemory]] = []
        self._folder: Path | None = None
        self._seen: set[str] = set()
        self._surplus = 0
        self._strange = 0

    @property
    def lost(self) -> int:
        """Records that nobody has read, or that were too many to be kept."""
        return self._surplus + sum(memory.lost for _, memory in self._memories)

    @property
    def garbage(self) -> int:
        """What cannot be."""
        return self._strange + sum(memory.garbage for _, memory in self._memories)

    def add_worker(self, domain: str, descriptor: int) -> None:
        """Reads what the workers of a domain record; the descriptor is the collector's.

        Raises:
            RemoteProtocolError: it is no trace's memory.
        """
        self._memories.append((domain, TraceMemory(descriptor, since=self.begun)))
        self.domains.append(domain)

    def add_programs(self, folder: Path) -> None:
        """Reads what programs record, and have recorded, in this folder, see ``PARACORE_TRACE``."""
        self._folder = folder

    def keep_programs(self) -> None:
        """Forgets what workers did for other programs than those whose side was recorded, if any was."""
        channels = {record.channel for domain, record in self.found if not domain}
        if channels:
            self.found = [each for each in self.found if each.record.channel in channels]

    def round(self, *, last: bool = False) -> None:
        """Takes what there is."""
        self._look_for_programs()
        for domain, memory in self._memories:
            taken = memory.take(last=last)
            room = max(0, _RECORDS_MAX - len(self.found))
            self._surplus += max(0, len(taken) - room)
            self.found += [Found(domain, record) for record in taken[:room]]

    def collect(self, seconds: float | None, ended: Callable[[], bool]) -> None:
        """Rounds for so long, or until `ended` says so; None: for ever."""
        until = None if seconds is None else time.monotonic() + seconds
        while not ended() and (until is None or time.monotonic() < until):
            self.round()
            time.sleep(ROUND)

    def close(self) -> None:
        """Lets go of all memories; what was found stays."""
        for _, memory in self._memories:
            memory.close()

    # --- programs ---------------------------------------------------------------------------------

    def _look_for_programs(self) -> None:
        if self._folder is None:
            return
        for path in self._folder.glob("*.trace"):
            if path.name not in self._seen and len(self._seen) < _FILES_MAX:
                with suppress(OSError):  # of one that is no file, or has gone
                    self._add_program(path)

    def _add_program(self, path: Path) -> None:
        """One that is not whole yet is met again in the next round; what is no file of a program's never is."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != TRACE_SIZE:
            os.close(descriptor)
            return
        try:
            memory = TraceMemory(descriptor)
        except RemoteProtocolError:
            os.close(descriptor)
            return
        self._seen.add(path.name)
        self._memories.append(("", memory))
        self.programs += 1
