# SPDX-License-Identifier: Apache-2.0
"""A program of dom0: attaches a device to a guest until it is connected, and detaches it, so many times.

python3 -m tests.system.attacher GUEST COUNT
"""

import asyncio
import sys

from paracore.toolstack import attach, detach, find_domain
from paracore.transport.xen import Xenstore

PATIENCE = 60.0


async def main(guest, count):
    async with Xenstore.connect() as store:
        domain = await find_domain(store, guest)
        for number in range(count):
            await attach(store, domain, ["vpu0"], timeout=PATIENCE)
            await detach(store, domain, timeout=PATIENCE)
            sys.stdout.write(f"{number + 1}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
