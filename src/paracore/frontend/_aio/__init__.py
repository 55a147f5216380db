# SPDX-License-Identifier: Apache-2.0
"""The API for asyncio: the same sessions as in the folder above, waited for by an event loop.

Nothing here blocks the loop: the few calls that wait for a reply (open, close, grant) are made on a
thread, and events are taken when the channel's descriptor is readable. A session may be used by several
tasks of one loop, say one that sends and one that receives.
"""

from paracore.frontend._aio._decoder import AsyncDecoder
from paracore.frontend._aio._domain import AsyncDevice, AsyncDomain, open  # noqa: A004 - read as paracore.aio.open
from paracore.frontend._aio._encoder import AsyncEncoder

__all__ = ["AsyncDecoder", "AsyncDevice", "AsyncDomain", "AsyncEncoder", "open"]
