# SPDX-License-Identifier: Apache-2.0
"""Decodes a file and prints how bright each picture is.

The planes are NumPy views of pages that the codec itself wrote: nothing is copied.
"""

import sys

import paracore
from paracore.media import demux


def main(path: str) -> None:
    with paracore.open() as domain, demux(path) as stream:
        device = domain.devices["vpu0"]
        print(f"{path}: {stream.codec} {stream.width}x{stream.height}, on {device.name} as domain {domain.name}")
        with device.decoder(stream.codec) as decoder:
            for number, picture in enumerate(decoder.decode(stream)):
                luma = picture.planes[0]
                print(f"{number:5} {picture.picture_type:13} {luma.mean():6.1f}{' damaged' if picture.damaged else ''}")


if __name__ == "__main__":
    main(*sys.argv[1:])
