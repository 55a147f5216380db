# SPDX-License-Identifier: Apache-2.0
"""A program of a guest that wants all of a device, until it is ended.

    python3 -m tests.system.greedy decode FILE     by libav, until the file's end
    python3 -m tests.system.greedy encode          the kernel's codec, one picture without end

It says ``works`` once the first has come.
"""

import sys

import paracore
from paracore.media import demux

WIDTH, HEIGHT = 1920, 1088


def decoded(domain, path):
    with demux(path) as stream, domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder:
        for picture in decoder.decode(stream):
            picture.release()
            yield


def encoded(domain):
    with domain.devices["vpu1"].encoder("fwht", width=WIDTH, height=HEIGHT, rate=25) as encoder:
        yield from encoder.encode(iter(encoder.picture, None))


def main(way, *path):
    with paracore.open() as domain:
        for number, _ in enumerate({"decode": decoded, "encode": encoded}[way](domain, *path)):
            if number == 0:
                sys.stdout.write("works\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
