# SPDX-License-Identifier: Apache-2.0
"""Encoding beside plain libav: the same raw pictures from the page cache, the same libx264 and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._raw import raw_pictures
from bench._report import Result, of_pairs
from bench._setting import Job, Setting, run_jobs, run_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BENCHMARKS"]

_WIDTH, _HEIGHT, _PICTURES = 1280, 720, 120
_BITRATE, _GOP = 2_000_000, 50


def encode_720p(setting: Setting) -> Iterator[Result]:
    """720p by libx264, preset veryfast, one codec thread. Each program reads its pictures from a raw file."""
    raw = raw_pictures(setting.clips, setting.clip(_HEIGHT), _HEIGHT, _PICTURES)
    # The driver keeps x264's buffer model on, two seconds wide: only then does a new bit rate take effect in mid-stream.
    model = [f"maxrate={2 * _BITRATE}", f"bufsize={2 * _BITRATE}"]
    options = ["preset=veryfast", f"b={_BITRATE}", *model, f"g={_GOP}", "threads=1", "forced-idr=1"]
    plain = Job(setting.program("plain-encode", raw, _WIDTH, _HEIGHT, *options))
    with setting.backend() as backend:
        ours = Job(setting.client("encode", backend.socket, raw, _WIDTH, _HEIGHT, _BITRATE, _GOP), setting.gid())
        pairs = in_turns(lambda: run_rate(run_jobs([plain])), lambda: run_rate(run_jobs([ours])), setting.pairs)
    yield of_pairs("encode-720p", "frames/s", pairs, "plain libx264", threads=1)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"encode-720p": encode_720p}
