# SPDX-License-Identifier: Apache-2.0
"""A hostile domain: one connection after the other sends messages that cannot be, until it is ended.

hostile.py SOCKET SEED
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress

import paracore
from paracore.classes import core, video
from paracore.protocol import EVENT, REQUEST, message
from paracore.testing import HostileDomain
from paracore.transport.local import LocalTransport

_KINDS = [*core.MESSAGES.values(), *video.MESSAGES.values()]
_ROUNDS = 1000
"""Messages of a connection, if it lasts: what is not noticed to be wrong at once fills the ring."""


def main() -> None:
    """Goes on for ever."""
    socket, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    transport = LocalTransport()
    while True:
        with suppress(paracore.Error, OSError), HostileDomain(transport, socket).opened() as domain:
            for serial in range(_ROUNDS):
                domain.put(_malformed(chance, serial))
            domain.wait_end()


def _malformed(chance: random.Random, serial: int) -> bytes:
    """A message that is right but for some octets, one of no kind, or no message at all."""
    if chance.random() < 0.01:
        return chance.randbytes(8 * chance.randrange(2, 64))
    row = chance.choice(_KINDS)
    payload = bytearray(row.request.SIZE)
    for _ in range(min(2, len(payload))):
        payload[chance.randrange(len(payload))] = chance.randrange(256)
    return message(row.opcode, chance.choice((REQUEST, EVENT)), chance.randrange(3), serial, bytes(payload))


if __name__ == "__main__":
    main()
