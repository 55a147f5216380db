# SPDX-License-Identifier: Apache-2.0
"""The API of a domain for asyncio.

::

async with paracore.aio.open() as domain:
    async with domain.devices["vpu0"].decoder("h264") as decoder:
        async for picture in decoder.decode(packets):
            ...
"""

from paracore.frontend._aio import AsyncDecoder, AsyncDevice, AsyncDomain, AsyncEncoder, open  # noqa: A004 - as above

__all__ = ["AsyncDecoder", "AsyncDevice", "AsyncDomain", "AsyncEncoder", "open"]
