# SPDX-License-Identifier: Apache-2.0
"""The processor as a device whose time is shared out: ``native/drivers/libav/gate.h``."""

from __future__ import annotations

from paracore._native._libav import ffi, lib
from paracore.drivers import Gate, GateWords

__all__ = ["LibavGate"]


class LibavGate(Gate):
    """See the module."""

    def __init__(self) -> None:
        made = ffi.new("struct paracore_gate **")
        if lib.paracore_gate_new(made) < 0:
            raise MemoryError
        self.native = ffi.gc(made[0], lib.paracore_gate_free)
        self._number = ffi.new("uint32_t *")

    def fileno(self) -> int:
        return int(lib.paracore_gate_descriptor(self.native))

    def lease(self, number: int, budget: int) -> None:
        lib.paracore_gate_lease(self.native, number, budget)

    def words(self) -> GateWords:
        words = lib.paracore_gate_words(self.native, self._number)
        return GateWords(
            bool(words & lib.PARACORE_GATE_RELEASE), bool(words & lib.PARACORE_GATE_WANT), int(self._number[0])
        )
