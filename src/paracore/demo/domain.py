# SPDX-License-Identifier: Apache-2.0
"""What runs in a domain of the demo: an application that decodes video with paracore's public API.

Reads tasks from standard input and answers on standard output, a JSON object per line each. A task is
``{"task": NAME, ...}`` with the arguments of one function of this module; its answers end with a line whose
``kind`` is ``done``, or ``failed`` with the error's text. It trusts its parent, which started it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import paracore
from paracore import open as open_domain  # here, so that loading it is no part of what is timed
from paracore.demo._confinement import confinement, guest_confinement
from paracore.demo._run import Run
from paracore.demo._thumbnail import thumbnail
from paracore.media import Y4mReader, demux

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paracore.frontend import Encoder, Picture, WritablePicture
    from paracore.media import Stream

__all__ = ["main", "timed_decode"]


def main() -> None:
    """Serves tasks until standard input ends."""
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            _TASKS[arguments.pop("task")](**arguments)
        except (paracore.Error, OSError) as error:
            _say("failed", reason=f"{type(error).__name__}: {error}")
        else:
            _say("done")


def look_around(uid: int, outside: dict[str, str]) -> None:
    """Reports what this process can reach."""
    _say("cell", checks=confinement(uid, outside))


def look_around_guest() -> None:
    """The same in a Xen guest."""
    _say("cell", checks=guest_confinement())


def check(socket: str, device: str, path: str, threads: int, thumbnails: list[int]) -> None:
    """Decodes a clip and tells each picture's hash; those numbered in ``thumbnails`` also as small images."""
    with (
        open_domain(socket) as domain,
        demux(path) as stream,
        domain.devices[device].decoder(stream.codec, threads=threads) as decoder,
    ):
        for index, picture in enumerate(decoder.decode(stream)):
            _say("picture", index=index, hash=_hash(picture))
            if index in thumbnails:
                image, (width, height) = thumbnail(picture)
                at = float(index / stream.rate) if stream.rate else 0.0
                _say("thumbnail", seconds=at, width=width, height=height, rgb=b64encode(image).decode())
            picture.release()


def encode(socket: str, device: str, path: str, codec: str, **settings: Any) -> None:
    """Encodes a y4m file, decodes it again on the same device, and tells the hashes of packets and pictures."""
    with open_domain(socket) as domain, Path(path).open("rb") as file:
        reader = Y4mReader(file, path)
        settings |= {"width": reader.format.width, "height": reader.format.height}
        with domain.devices[device].encoder(codec, **settings) as encoder:
            packets = list(encoder.encode(_filled(encoder, reader)))
        for packet in packets:
            _say("packet", hash=hashlib.md5(packet.data, usedforsecurity=False).hexdigest(), size=len(packet.data))
        with domain.devices[device].decoder(codec) as decoder:
            for picture in decoder.decode(paracore.Packet(packet.data) for packet in packets):
                _say("picture", hash=_hash(picture))
                picture.release()


def _filled(encoder: Encoder, reader: Y4mReader) -> Iterator[WritablePicture]:
    while reader.read_into((picture := encoder.picture()).planes):
        yield picture


def run(socket: str, device: str, path: str, threads: int) -> None:
    """Decodes a clip as fast as it goes. The clock starts before this process has any channel."""
    with demux(path) as stream:
        _say("run", times=timed_decode(socket, device, stream, threads)._asdict())


def timed_decode(socket: str, device: str, stream: Stream, threads: int, wanted: int = 0) -> Run:
    """Decodes a clip that has been opened, or its first ``wanted`` pictures, and says when what happened."""
    pictures, first = 0, 0.0
    connecting = time.monotonic()
    with open_domain(socket) as domain:
        started = time.monotonic()
        with domain.devices[device].decoder(stream.codec, threads=threads) as decoder:
            for picture in decoder.decode(stream):
                first = first or time.monotonic()
                pictures += 1
                picture.release()
                if pictures == wanted:
                    break
            ended = time.monotonic()
    return Run(pictures, connecting, started, first, ended)


def _hash(picture: Picture) -> str:
    """The MD5 of the visible samples, plane by plane, as FFmpeg's framemd5 has it."""
    digest = hashlib.md5(usedforsecurity=False)
    for plane in picture.planes:
        digest.update(np.ascontiguousarray(plane))
    return digest.hexdigest()


def _say(kind: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
    sys.stdout.flush()


_TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task for task in (look_around, look_around_guest, check, encode, run)
}

if __name__ == "__main__":
    main()
