# SPDX-License-Identifier: Apache-2.0
"""Decoding beside plain libav: the same file, the same libavcodec, the same number of codec threads."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._report import Result, of_pairs
from bench._setting import SCENE, Job, Setting, run_all, run_jobs, run_rate
from paracore.demo import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BENCHMARKS"]

_DOMAINS = 8
_TURNS = 5
"""How many pairs of scenes eight domains decode for each that was asked for."""


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
    """Eight domains together beside eight plain decoders together, one codec thread each: the same scene in turns."""
    if setting.domains_max < _DOMAINS:
        return
    path, numbers = setting.clip(1080).path, range(_DOMAINS)
    with setting.backend(_DOMAINS) as backend, ExitStack() as stack:
        words = setting.program("plain-decode", path, 1, SCENE, "scenes")
        plain = [stack.enter_context(Runner(words)) for _ in numbers]
        words = setting.client("scenes", backend.socket, path, SCENE)
        ours = [stack.enter_context(Runner(words, gid=setting.gid(number))) for number in numbers]
        pairs = in_turns(lambda: run_rate(run_all(plain)), lambda: run_rate(run_all(ours)), _TURNS * setting.pairs)
    yield of_pairs("decode-8-domains", "frames/s", pairs, "eight plain decoders", threads=1, scene=SCENE)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "decode-1080p-python": decode_1080p_python,
    "decode-1080p-c": decode_1080p_c,
    "decode-1080p-threads": decode_1080p_threads,
    "decode-480p": decode_480p,
    "decode-8-domains": decode_8_domains,
}
