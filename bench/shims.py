# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs through the shims beside the same programs with their own software codec, from start to end.

The software is libavcodec in all of them, with as many codec threads as it chooses, which is what the device's session
chooses, too.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av

from bench._measure import in_turns
from bench._report import Result, of_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench._setting import Setting

__all__ = ["BENCHMARKS"]

_TIMEOUT = 300.0

_FFMPEG = "ffmpeg -nostdin -v error -c:v {decoder} -i {path} {limit} -an -f null -"
_GSTREAMER = "gst-launch-1.0 -q filesrc location={path} ! qtdemux ! h264parse ! {decoder} ! fakesink sync=false"
_PIPE_OUT = "gst-launch-1.0 -q filesrc location={path} ! qtdemux ! h264parse ! avdec_h264 ! {caps} ! shmsink {sink}"
_PIPE_IN = "gst-launch-1.0 -q shmsrc socket-path={socket} ! {caps} ! fakesink sync=false enable-last-sample=false"


class _Film(NamedTuple):
    """What the programs are given, and what they have to make of it."""

    path: Path
    pictures: int
    width: int
    height: int


def _film(setting: Setting) -> _Film:
    path = setting.clip(1080).path
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return _Film(path, stream.frames, stream.width, stream.height)


def _environment(setting: Setting, socket: Path, api: str) -> dict[str, str]:
    """What ``paracore env`` says, asked for as the domain that will use it."""
    command = [sys.executable, "-m", "paracore", "env", "--json", "--address", str(socket), "--api", api]
    done = subprocess.run(command, check=True, capture_output=True, text=True, group=setting.gid())
    return {**os.environ, **json.loads(done.stdout)["variables"]}


def _rate(setting: Setting, command: str, pictures: int, environment: Mapping[str, str] | None = None) -> float:
    """Pictures per second of a program from its start to its end."""
    began = time.monotonic()
    words = shlex.split(command)
    done = subprocess.run(
        words, check=True, capture_output=True, timeout=_TIMEOUT, env=environment, group=setting.gid()
    )
    if b"rror" in done.stderr:
        raise OSError(f"{words[0]}: {done.stderr.decode(errors='replace')[:300]}")
    return pictures / (time.monotonic() - began)


def _decode(setting: Setting, name: str, api: str, command: str, decoders: tuple[str, str]) -> Result:
    """``decoders``: the program's own, and the one on the device."""
    clip = _film(setting)
    wanted = 100 if setting.quick and api == "v4l2" else 0
    limit = f"-frames:v {wanted}" if wanted else ""
    pictures = wanted or clip.pictures
    plain, ours = (command.format(decoder=decoder, path=clip.path, limit=limit) for decoder in decoders)
    with setting.backend() as backend:
        environment = _environment(setting, backend.socket, api)
        pairs = in_turns(
            lambda: _rate(setting, plain, pictures),
            lambda: _rate(setting, ours, pictures, environment),
            setting.pairs,
        )
    return of_pairs(name, "frames/s", pairs, f"{command.split(maxsplit=1)[0]} with {decoders[0]}", whole=not wanted)


def shim_v4l2(setting: Setting) -> Iterator[Result]:
    """1080p H.264 by ffmpeg's h264_v4l2m2m."""
    yield _decode(setting, "shim-v4l2", "v4l2", _FFMPEG, ("h264", "h264_v4l2m2m"))


def shim_omx(setting: Setting) -> Iterator[Result]:
    """1080p H.264 by gst-omx."""
    yield _decode(setting, "shim-omx", "omx", _GSTREAMER, ("avdec_h264", "omxh264dec"))


def frame_pipe(setting: Setting) -> Iterator[Result]:
    """What users do today: one process decodes in software, and hands each picture to another through shared memory."""
    clip = _film(setting)
    caps = f"video/x-raw,format=I420,width={clip.width},height={clip.height},framerate=25/1"
    with tempfile.TemporaryDirectory(prefix="paracore-bench-") as folder:
        Path(folder).chmod(0o777)
        plain = _FFMPEG.format(decoder="h264", path=clip.path, limit="")
        pairs = in_turns(
            lambda: _rate(setting, plain, clip.pictures),
            lambda: _pipe_rate(setting, clip, caps, f"{folder}/pipe"),
            max(3, setting.pairs // 2),
        )
    yield of_pairs("frame-pipe", "frames/s", pairs, "ffmpeg in software")


def _pipe_rate(setting: Setting, clip: _Film, caps: str, socket: str) -> float:
    """From the sender's start to its end: it waits for the receiver, and for room in the shared memory.

    The receiver never ends by itself: what it reads from says nothing of an end.
    """
    sink = f"socket-path={socket} shm-size=50000000 wait-for-connection=true sync=false"
    began = time.monotonic()
    words = shlex.split(_PIPE_OUT.format(path=clip.path, caps=caps, sink=sink))
    with _started(setting, words) as sender:
        while not Path(socket).exists():
            if sender.poll() is not None:
                raise OSError("avdec_h264 or shmsink is missing: gstreamer1.0-libav, gstreamer1.0-plugins-bad")
            time.sleep(0.002)  # gst-launch has no way to tell
        with _started(setting, shlex.split(_PIPE_IN.format(socket=socket, caps=caps))):
            sender.wait(_TIMEOUT)
    return clip.pictures / (time.monotonic() - began)


@contextmanager
def _started(setting: Setting, words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, group=setting.gid()) as process:
        try:
            yield process
        finally:
            process.kill()


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "shim-v4l2": shim_v4l2,
    "shim-omx": shim_omx,
    "frame-pipe": frame_pipe,
}
