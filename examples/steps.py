# SPDX-License-Identifier: Apache-2.0
"""Decodes step by step, goes back to the beginning in mid-stream, and keeps a picture.

A view that is kept keeps its pages out of circulation: it never shows another picture, and it outlives the
decoder and the channel.
"""

import sys

import paracore
from paracore.media import demux


def main(path: str) -> None:
    with demux(path) as stream:
        codec, packets = stream.codec, [packet._replace(data=bytes(packet.data)) for packet in stream]
    with paracore.open() as domain, domain.devices["vpu0"].decoder(codec) as decoder:
        for packet in packets[: len(packets) // 2]:
            decoder.send(packet)
            while (picture := decoder.receive(timeout=0)) is not None:
                picture.release()
        decoder.flush()  # a seek: what was under way is forgotten
        kept, count = None, 0
        for picture in decoder.decode(packets):
            kept = picture.planes[0] if kept is None else kept
            count += 1
        print(f"{count} pictures from the beginning; the stream is {decoder.format}")
    if kept is not None:
        print(f"the first picture still has {kept.shape[1]}x{kept.shape[0]} samples, {kept.mean():.1f} on average")


if __name__ == "__main__":
    main(*sys.argv[1:])
