# SPDX-License-Identifier: Apache-2.0
"""Decoding beside plain libav: the same file, the same libavcodec, the same number of codec threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._report import Result, of_pairs
from bench._setting import Job, Setting, run_jobs, run_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BENCHMARKS"]

_DOMAINS = 8


def _decode(setting: Setting, name: str, height: int, threads: int, *, client: str = "python") -> Result:
    """One domain and one plain decoder in turns."""
    path, wanted = setting.clip(height).path, 100 if setting.quick else 0
    plain = Job(setting.program("plain-decode", path, threads, wanted))
    with setting.backend() as backend:
        arguments = (backend.socket, path, threads, wanted)
        words = (
            setting.client("decode", *arguments)
            if client == "python"
            else setting.program("channel-decode", *arguments)
        )
        ours = Job(words, setting.gid())
        pairs = in_turns(lambda: run_rate(run_jobs([plain])), lambda: run_rate(run_jobs([ours])), setting.pairs)
    return of_pairs(name, "frames/s", pairs, "plain libav", whole=not wanted, threads=threads)


def decode_1080p_python(setting: Setting) -> Iterator[Result]:
    """1080p H.264 on one codec thread, through the Python API."""
    yield _decode(setting, "decode-1080p-python", 1080, 1)


def decode_1080p_c(setting: Setting) -> Iterator[Result]:
    """The same through libparacore from C."""
    yield _decode(setting, "decode-1080p-c", 1080, 1, client="c")


def decode_1080p_threads(setting: Setting) -> Iterator[Result]:
    """1080p H.264 with as many codec threads as there are cores."""
    yield _decode(setting, "decode-1080p-threads", 1080, len(os.sched_getaffinity(0)))


def decode_480p(setting: Setting) -> Iterator[Result]:
    """480p H.264 on one codec thread: less codec per picture, hence more of everything else."""
    yield _decode(setting, "decode-480p", 480, 1)


def decode_8_domains(setting: Setting) -> Iterator[Result]:
    """Eight domains together beside eight plain decoders together, one codec thread each."""
    if setting.domains_max < _DOMAINS:
        return
    path, wanted = setting.clip(1080).path, 60 if setting.quick else 0
    plain = [Job(setting.program("plain-decode", path, 1, wanted))] * _DOMAINS
    with setting.backend(_DOMAINS) as backend:
        words = setting.client("decode", backend.socket, path, 1, wanted)
        ours = [Job(words, setting.gid(number)) for number in range(_DOMAINS)]
        count = max(5, setting.pairs // 2)  # sixteen decodes each
        pairs = in_turns(lambda: run_rate(run_jobs(plain)), lambda: run_rate(run_jobs(ours)), count)
    yield of_pairs("decode-8-domains", "frames/s", pairs, "eight plain decoders", whole=not wanted, threads=1)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "decode-1080p-python": decode_1080p_python,
    "decode-1080p-c": decode_1080p_c,
    "decode-1080p-threads": decode_1080p_threads,
    "decode-480p": decode_480p,
    "decode-8-domains": decode_8_domains,
}
