# SPDX-License-Identifier: Apache-2.0
"""What a trace costs while it is recorded: the worker's side and the program's, and somebody who reads both."""

from __future__ import annotations

import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._report import Result, of_pairs
from bench._setting import Job, run_jobs, run_rate
from paracore.frontend._tracing import Collector, trace_domains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench._setting import Setting

__all__ = ["BENCHMARKS"]


def traced(setting: Setting) -> Iterator[Result]:
    """480p H.264 on one codec thread, where there is least codec for each record, beside the same without a trace."""
    path, wanted = setting.clip(480).path, 200 if setting.quick else 0
    with setting.backend() as backend, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        words = setting.client("decode", backend.socket, path, 1, wanted)
        plain, own = Job(words, setting.gid()), Job(["env", f"PARACORE_TRACE={folder}", *words], setting.gid())
        collectors: list[Collector] = []

        def recorded() -> float:
            with _collecting(backend.socket, folder) as collector:
                collectors.append(collector)
                return run_rate(run_jobs([own]))

        pairs = in_turns(lambda: run_rate(run_jobs([plain])), recorded, setting.pairs)
    records = len(collectors[-1].found)
    yield of_pairs(
        "trace-on", "frames/s", pairs, "no trace", records=records, lost=sum(each.lost for each in collectors)
    )


@contextmanager
def _collecting(address: Path, folder: Path) -> Iterator[Collector]:
    """Reads both sides on a thread; what programs before have left is out of the way."""
    for left in folder.iterdir():
        left.unlink()
    collector, over = Collector(), threading.Event()
    collector.add_programs(folder)
    with ExitStack() as stack:
        tracing = stack.enter_context(trace_domains(address, _names(address)))
        while tracing.memories:
            collector.add_worker(*tracing.memories.popitem())
        thread = threading.Thread(target=collector.collect, args=(None, over.is_set))
        thread.start()
        try:
            yield collector
        finally:
            over.set()
            thread.join()
            collector.round(last=True)
            collector.close()


def _names(address: Path) -> list[str]:
    from paracore.frontend import backend_status  # noqa: PLC0415 - needs the native library

    return [domain["name"] for domain in backend_status(address)["domains"]]


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"trace-on": traced}
