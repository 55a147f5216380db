# SPDX-License-Identifier: Apache-2.0
"""A program of a domain: decodes or encodes at the pace of a film, and writes down what it gets.

A line for each picture or packet. It ends with 0 when the stream is complete, and with 5 and a line on standard error when
its API has said that it cannot go on. It is forked off a process that has loaded all this, so that a run of chaos is not
mostly the start of interpreters.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import paracore
from paracore.media import FrameHash, demux

RATE = 25
SIZE = (176, 144)


def paced(items):
    """These, each when it is due."""
    began = time.monotonic()
    for number, item in enumerate(items):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))  # the pace of a film
        yield item


def decode(socket, path, on_loss, out):
    with (
        Path(out).open("w") as lines,
        paracore.open(socket, on_loss=on_loss) as domain,
        demux(path) as stream,
        domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder,
    ):
        for picture in decoder.decode(paced(stream)):
            print(FrameHash.digest(picture), file=lines, flush=True)
            picture.release()


def luma(number):
    """What there is to be seen of a picture: a ramp that moves."""
    width, height = SIZE
    return (np.add.outer(np.arange(height), np.arange(width)) + 3 * number).astype(np.uint8)


def drawn(encoder, count):
    for number in range(count):
        picture = encoder.picture()
        picture.timestamp = number
        first, *others = picture.planes
        first[...] = luma(number)
        for plane in others:
            plane[...] = 128
        yield picture


def encode(socket, count, out):
    width, height = SIZE
    with (
        Path(out).open("w") as lines,
        Path(f"{out}.h264").open("wb") as coded,
        paracore.open(socket) as domain,
        domain.devices["vpu0"].encoder(
            "h264", width=width, height=height, rate=RATE, gop=12, b_frames=0, threads=1
        ) as encoder,
    ):
        for packet in encoder.encode(paced(drawn(encoder, count))):
            coded.write(packet.data)
            said = [packet.timestamp, packet.key, packet.discontinuity, packet.lost]
            print(json.dumps([*said, hashlib.md5(packet.data).hexdigest()]), file=lines, flush=True)
        print(encoder.lost, file=lines)


def play(task, arguments, gid, errors):
    """The whole life of the program, in the group of its domain."""
    descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    if gid is not None:
        os.setgroups([])
        os.setgid(gid)
    try:
        task(*arguments)
    except paracore.Error as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(5)
