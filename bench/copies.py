# SPDX-License-Identifier: Apache-2.0
"""Pixel copies made by paracore, as the drivers count them, over a decode of each clip size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench._report import Result, of_value
from bench._setting import Job, Setting, run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BENCHMARKS"]


def pixel_copies(setting: Setting) -> Iterator[Result]:
    """Decodes 480p and 1080p on one thread and on two, then asks the backend."""
    with setting.backend(worker_linger=600.0) as backend:
        pictures = 0
        for height, threads in ((480, 1), (480, 2), (1080, 1), (1080, 2)):
            words = setting.client("decode", backend.socket, setting.clip(height).path, threads)
            pictures += sum(run.pictures for run in run_jobs([Job(words, setting.gid())]))
        yield of_value("pixel-copies", "pictures", backend.pixel_copies(), pictures=pictures)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"pixel-copies": pixel_copies}
