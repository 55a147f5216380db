# SPDX-License-Identifier: Apache-2.0
"""The codecs of the kernel: stateful memory-to-memory nodes of V4L2, which are most video hardware of boards.

Pictures are made in, and read from, the domain's own pages where the node works in foreign pages
(USERPTR); else they are copied once, and each copy is counted. Bit streams are always copied. The
kernel's ``vicodec`` is such a node without hardware.
"""

from __future__ import annotations

from paracore.drivers.v4l2._driver import NODES, V4l2Driver, examine

__all__ = ["NODES", "V4l2Driver", "examine", "make"]

make = V4l2Driver
