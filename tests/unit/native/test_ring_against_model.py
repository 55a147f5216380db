# SPDX-License-Identifier: Apache-2.0
"""Invariant: whatever either end does and whatever garbage is written between, native/core/ring.c and
protocol/_ring.py return the same and leave the same octets behind, also when they share one memory.
"""

from __future__ import annotations

import errno

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from paracore._errors import RemoteProtocolError
from paracore._native._core import ffi, lib
from paracore.protocol import message
from paracore.protocol._ring import Ring, Role, format_page, mapping_size
from paracore.protocol._wire import MESSAGE_MAX, PAGE_SIZE, MessageFlag

ORDER = 2
ROLES = st.sampled_from(Role)
WORDS = st.sampled_from(range(64, 64 + 16, 4)) | st.sampled_from(range(128, 128 + 16, 4))
SIZES = st.sampled_from([0, 8, 48, 1000, 2024, MESSAGE_MAX - 16])


class NativeRing:
    """The C ring with the verbs and exceptions of the model."""

    def __init__(self, mapping: bytearray, role: Role) -> None:
        self._memory = ffi.from_buffer(mapping, require_writable=True)
        self._ring = ffi.new("struct paracore_ring *")
        assert lib.paracore_ring_attach(self._ring, self._memory, ORDER, role) == 0

    def push(self, octets: bytes) -> bool:
        part = ffi.new("struct iovec *", {"iov_base": ffi.from_buffer(octets), "iov_len": len(octets)})
        return checked(lib.paracore_ring_push(self._ring, part, 1)) != -errno.EAGAIN

    def pop(self) -> bytes | None:
        octets = bytearray(MESSAGE_MAX)
        size = checked(lib.paracore_ring_pop(self._ring, ffi.from_buffer(octets)))
        return bytes(octets[:size]) if size else None

    def space(self) -> int:
        return checked(lib.paracore_ring_space(self._ring))

    def publish(self) -> bool:
        return lib.paracore_ring_publish(self._ring)

    def release(self) -> bool:
        return lib.paracore_ring_release(self._ring)

    def arm(self) -> bool:
        return lib.paracore_ring_arm(self._ring)

    def arm_space(self, octets: int) -> bool:
        return lib.paracore_ring_arm_space(self._ring, octets)

    def readable(self) -> bool:
        return lib.paracore_ring_readable(self._ring)


def checked(result: int) -> int:
    if result == -errno.EPROTO:
        raise RemoteProtocolError
    return result


def outcome(ring: Ring | NativeRing, verb: str, *arguments: object) -> object:
    """What a verb returns; the class of what it raises."""
    try:
        return getattr(ring, verb)(*arguments)
    except RemoteProtocolError:
        return RemoteProtocolError


class Rings(RuleBasedStateMachine):
    """Two channels: one with the C ring in front and the model behind, one the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.memories = [bytearray(mapping_size(ORDER)), bytearray(mapping_size(ORDER))]
        format_page(self.memories[0], ORDER)
        lib.paracore_ring_format(ffi.from_buffer(self.memories[1]), ORDER)
        front, back = Role.FRONTEND, Role.BACKEND
        self.ends = {
            front: (NativeRing(self.memories[0], front), Ring(self.memories[1], ORDER, front)),
            back: (Ring(self.memories[0], ORDER, back), NativeRing(self.memories[1], back)),
        }

    def both(self, role: Role, verb: str, *arguments: object) -> object:
        first, second = (outcome(ring, verb, *arguments) for ring in self.ends[role])
        assert first == second, (verb, first, second)
        return first

    @rule(role=ROLES, size=SIZES, fill=st.integers(0, 255))
    def push(self, role: Role, size: int, fill: int) -> None:
        self.both(role, "push", message(0x0101, MessageFlag(0), 1, 2, bytes([fill]) * size))

    @rule(role=ROLES)
    def fill_up(self, role: Role) -> None:
        while self.both(role, "push", message(0x0101, MessageFlag(0), 0, 0, bytes(504))) is True:
            pass

    @rule(role=ROLES, verb=st.sampled_from(["pop", "space", "publish", "release", "arm", "readable"]))
    def step(self, role: Role, verb: str) -> None:
        self.both(role, verb)

    @rule(role=ROLES)
    def pop_all(self, role: Role) -> None:
        while isinstance(self.both(role, "pop"), bytes):
            pass

    @rule(role=ROLES, octets=st.integers(2, 1024).map(lambda eighth: 8 * eighth))
    def arm_space(self, role: Role, octets: int) -> None:
        self.both(role, "arm_space", octets)

    @rule(place=WORDS, step=st.integers(-40, 40) | st.integers(0, 2**32 - 1))
    def corrupt_index(self, place: int, step: int) -> None:
        for memory in self.memories:
            word = int.from_bytes(memory[place : place + 4], "little")
            memory[place : place + 4] = ((word + step) % 2**32).to_bytes(4, "little")

    @rule(place=st.integers(PAGE_SIZE, mapping_size(ORDER) - 8), octets=st.binary(min_size=1, max_size=8))
    def corrupt_data(self, place: int, octets: bytes) -> None:
        for memory in self.memories:
            memory[place : place + len(octets)] = octets

    @invariant()
    def same_octets(self) -> None:
        assert self.memories[0] == self.memories[1]


TestRings = Rings.TestCase
TestRings.settings = settings(max_examples=60, stateful_step_count=40)
