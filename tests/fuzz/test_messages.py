# SPDX-License-Identifier: Apache-2.0
"""Invariant: for any octets, on a socket or in a ring, there is a valid value or a RemoteProtocolError, and never anything else.

Short by default. ``PARACORE_FUZZ=1000000`` says how many cases each test tries, ``PARACORE_FUZZ_SEED`` where it begins;
a failure names the seed of its case, which alone repeats it.
"""

from __future__ import annotations

import os
import random
import struct

import pytest

from paracore._errors import MessageError, RemoteProtocolError
from paracore.classes import core, link, video, worker
from paracore.protocol import (
    EVENT,
    FAILURE,
    HEADER_SIZE,
    MESSAGE_MAX,
    PAGE_SIZE,
    REPLY,
    REQUEST,
    RING_ORDER_MIN,
    Header,
    Ring,
    Role,
    format_page,
    mapping_size,
    message,
    split,
)
from tests.payloads import CASES, sample

COUNT = int(os.environ.get("PARACORE_FUZZ", "3000"))
SEED = int(os.environ.get("PARACORE_FUZZ_SEED", "1"))
TABLES = [module.MESSAGES for module in (core, video, link, worker)]
SAMPLES = [(case, sample(case.layout, case.module).pack()) for case in CASES]
INTERESTING = (0, 1, 7, 8, 15, 16, 17, 24, MESSAGE_MAX, MESSAGE_MAX + 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)

pytestmark = pytest.mark.timeout(60 + COUNT // 500)


def cases():
    """A source of randomness for each case, with the seed that repeats it."""
    for seed in range(SEED, SEED + COUNT):
        yield seed, random.Random(seed)


def spoil(source, octets):
    """The octets with a little or a lot done to them."""
    spoilt = bytearray(octets)
    for _ in range(source.choice((0, 1, 1, 2, 8))):
        _SPOILERS[source.randrange(len(_SPOILERS))](source, spoilt)
    return bytes(spoilt)


def _flip(source, octets):
    if octets:
        octets[source.randrange(len(octets))] ^= 1 << source.randrange(8)


def _number(source, octets):
    if len(octets) >= 4:
        struct.pack_into("<I", octets, 4 * source.randrange(len(octets) // 4), source.choice(INTERESTING))


def _cut(source, octets):
    del octets[source.randrange(len(octets) + 1) :]


def _grow(source, octets):
    octets += source.randbytes(source.choice((1, 4, 8, 64)))


def _noise(source, octets):
    octets[:] = source.randbytes(len(octets))


_SPOILERS = (_flip, _number, _flip, _number, _cut, _grow, _noise)


def whole_message(source):
    case, payload = SAMPLES[source.randrange(len(SAMPLES))]
    payload = spoil(source, payload)
    flags = source.choice((REQUEST, REPLY, FAILURE, EVENT))
    header = Header(HEADER_SIZE + len(payload), case.opcode, flags, source.choice((0, 1)), 0)
    return spoil(source, header.pack() + payload)


def receive(octets):
    """What a reader of messages does: the header first, then the payload by the table."""
    header, payload = split(octets)
    row = next((table[header.opcode] for table in TABLES if header.opcode in table), None)
    if row is None:
        raise MessageError(f"opcode {header.opcode:#06x}")
    kind = row.reply if header.flags == REPLY else core.Failure if header.flags == FAILURE else row.request
    if kind is None:
        raise MessageError("a reply to a post")
    return kind.unpack(payload)


def test_any_message_is_a_value_or_refused():
    seen = {True: 0, False: 0}
    for seed, source in cases():
        octets = whole_message(source)
        try:
            value = receive(octets)
        except RemoteProtocolError:
            seen[False] += 1
        except BaseException as error:
            raise AssertionError(f"PARACORE_FUZZ_SEED={seed} PARACORE_FUZZ=1: {octets.hex()}") from error
        else:
            seen[True] += 1
            assert value.pack() == octets[HEADER_SIZE:], f"PARACORE_FUZZ_SEED={seed} PARACORE_FUZZ=1"
    assert COUNT < 100 or min(seen.values()) > COUNT // 20, "the fuzzer has become blunt"


def test_any_beginning_of_a_message_is_refused():
    for seed, source in cases():
        octets = whole_message(source)[:64]
        for length in range(len(octets)):
            try:
                split(octets[:length])
            except RemoteProtocolError:
                continue
            assert int.from_bytes(octets[:4], "little") == length, f"PARACORE_FUZZ_SEED={seed} PARACORE_FUZZ=1"


def hostile_channel(source):
    """A channel whose other end has been at work for a while, and this end's view of it."""
    memory = bytearray(mapping_size(RING_ORDER_MIN))
    format_page(memory, RING_ORDER_MIN)
    role = source.choice(list(Role))
    peer = Ring(memory, RING_ORDER_MIN, Role(1 - role))
    for _ in range(source.randrange(4)):
        peer.push(message(1, REQUEST, 0, 0, bytes(8 * source.randrange(200))))
    peer.publish()
    return memory, Ring(memory, RING_ORDER_MIN, role)


def _write_index(source, memory):
    struct.pack_into("<I", memory, 64 + 4 * source.randrange(32), source.choice((*INTERESTING, source.getrandbits(32))))


def _write_ring(source, memory):
    place = PAGE_SIZE + 8 * source.randrange((len(memory) - PAGE_SIZE) // 8)
    struct.pack_into("<I", memory, place, source.choice(INTERESTING))


def _use(source, ring):
    return source.choice(
        (
            ring.pop,
            ring.pop,
            ring.publish,
            ring.release,
            ring.arm,
            ring.space,
            lambda: ring.arm_space(64),
            lambda: _push(ring),
        )
    )()


def _push(ring):
    ring.push(message(1, REQUEST, 0, 0, bytes(64)))


def test_any_ring_gives_whole_messages_or_is_refused():
    for seed, source in cases():
        memory, ring = hostile_channel(source)
        try:
            for _ in range(8):
                source.choice((_write_index, _write_ring, lambda *_: None))(source, memory)
                got = _use(source, ring)
                if isinstance(got, bytes):
                    assert HEADER_SIZE <= len(got) <= MESSAGE_MAX
                    assert int.from_bytes(got[:4], "little") == len(got)
        except RemoteProtocolError:
            continue
        except BaseException as error:
            raise AssertionError(f"PARACORE_FUZZ_SEED={seed} PARACORE_FUZZ=1") from error
