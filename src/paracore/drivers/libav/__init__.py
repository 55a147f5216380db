# SPDX-License-Identifier: Apache-2.0
"""The codecs of FFmpeg, on the processor: pictures are decoded into, and encoded from, the domain's own memory.

All work is done by ``native/drivers/libav``, in threads of its own; here its functions become a ``Driver``.
"""

from __future__ import annotations

from paracore.drivers.libav._driver import LibavDriver

__all__ = ["LibavDriver", "make"]

make = LibavDriver
