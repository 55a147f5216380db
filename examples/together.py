# SPDX-License-Identifier: Apache-2.0
"""Decodes several files at once in one thread of one process: a decoder each, all on one channel."""

import asyncio
import sys

import paracore.aio
from paracore.media import demux


async def count_pictures(device: paracore.aio.AsyncDevice, path: str) -> int:
    with demux(path) as stream:
        async with device.decoder(stream.codec) as decoder:
            count = 0
            async for picture in decoder.decode(stream):
                count += 1
                picture.release()
            return count


async def main(*paths: str) -> None:
    async with paracore.aio.open() as domain:
        device = domain.devices["vpu0"]
        counts = await asyncio.gather(*(count_pictures(device, path) for path in paths))
    for path, count in zip(paths, counts, strict=True):
        print(f"{path}: {count} pictures")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
