# SPDX-License-Identifier: Apache-2.0
"""A trace in the making, of ``paracore trace`` and of the option ``--trace``, and the file that it becomes."""

from __future__ import annotations

import errno
import json
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from paracore._errors import DriverError
from paracore.cli._exit import complain, output_errors
from paracore.frontend._tracing import EVERYTHING, Chosen, Collector, chrome_trace, summary_of, timelines, trace_domains

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ProgramTrace", "TraceFile", "print_summary", "recording"]

_NO_WORKER = "the worker's side is not in it: a Xen guest's clock is not the driver domain's"


class TraceFile:
    """Where a trace goes. Opened before anything is traced: what is wrong with it shall be known by then.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.name = "standard output" if name == "-" else name
        with output_errors(self.name):
            self._file: TextIO = sys.stdout if name == "-" else Path(name).open("w", encoding="utf-8")  # noqa: SIM115

    def write(
        self,
        collector: Collector,
        devices: dict[str, list[str]],
        chosen: Chosen = EVERYTHING,
        note: str | None = None,
    ) -> dict[str, Any]:
        """Writes it, and returns the summary."""
        lines = timelines(collector.found, chosen)
        facts = {
            "clock": "CLOCK_MONOTONIC, nanoseconds",
            "begun": collector.begun,
            "domains": collector.domains,
            "programs": collector.programs,
            "records": len(collector.found),
            "lost": collector.lost,
            "garbage": collector.garbage,
        } | ({"note": note} if note else {})
        text = json.dumps(chrome_trace(lines, devices, facts))
        with output_errors(self.name):
            self._file.write(text + "\n")
            self._file.flush()
        return {"output": self.name} | facts | {"sessions": summary_of(lines, devices)}

    def close(self) -> None:
        """What is written by now stays."""
        if self._file is not sys.stdout:
            with suppress(OSError):  # of a write that has been complained of
                self._file.close()


def print_summary(summary: dict[str, Any], stream: TextIO) -> None:
    """For a person."""
    for row in summary["sessions"]:
        what = " ".join(filter(None, (row["codec"], row["direction"], f"on {row['device']}" if row["device"] else "")))
        who = f"{row['domain'] or 'application'}, channel {row['channel']}, session {row['session']}"
        print(f"{who} ({what or 'unknown'}): {row['units']} units, {row['pictures']} pictures", file=stream)
        for name, times in row["parts"].items():
            print(
                f"  {name:<24}{times['median_us'] / 1000:9.3f} ms  99 %: {times['p99_us'] / 1000:9.3f} ms", file=stream
            )
    lost = f", {summary['lost']} lost" if summary["lost"] else ""
    garbage = f", {summary['garbage']} that cannot be" if summary["garbage"] else ""
    print(f"{summary['records']} records{lost}{garbage} in {summary['output']}", file=stream)


class ProgramTrace:
    """Both sides of one program, this one or one that it starts, from before its first channel to its end.

    Attributes:
        variables: of the program's environment.
    """

    def __init__(self, file: TraceFile, folder: str) -> None:
        self.variables = {"PARACORE_TRACE": folder}
        self._file = file
        self._collector = Collector()
        self._collector.add_programs(Path(folder))
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._devices: dict[str, list[str]] = {}
        self._note: str | None = None

    def follow(self, address: str, devices: Sequence[str]) -> None:
        """Traces this user's domain from now on, whose devices are called so."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(address, devices, ready), name="trace", daemon=True)
        self._thread.start()
        ready.wait()

    def _follow(self, address: str, devices: Sequence[str], ready: threading.Event) -> None:
        try:
            with trace_domains(address) as tracing:
                while tracing.memories:
                    name, descriptor = tracing.memories.popitem()
                    self._collector.add_worker(name, descriptor)
                    self._devices[name] = list(devices)
                ready.set()
                self._collector.collect(None, self._over.is_set)
        except DriverError as error:
            self._note = _NO_WORKER if error.code == errno.EOPNOTSUPP else str(error)
        except Exception as error:  # noqa: BLE001 - the program is what was asked for
            self._note = f"the worker's side is not in it: {error}"
        finally:
            ready.set()

    def finish(self) -> None:
        """Writes what there is."""
        self._over.set()
        if self._thread:
            self._thread.join()
        self._collector.round(last=True)
        self._collector.keep_programs()
        self._collector.close()
        if self._note:
            complain(f"{self._file.name}: {self._note}")
        self._file.write(self._collector, self._devices, note=self._note)


@contextmanager
def recording(output: str) -> Iterator[ProgramTrace]:
    """A trace that is written when it is left, however that comes about.

    Raises:
        OutputError: the file cannot be written.
    """
    file = TraceFile(output)
    try:
        with tempfile.TemporaryDirectory(prefix="paracore-trace-") as folder:
            trace = ProgramTrace(file, folder)
            try:
                yield trace
            finally:
                trace.finish()
    finally:
        file.close()
