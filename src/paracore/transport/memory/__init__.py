# SPDX-License-Identifier: Apache-2.0
"""The memory transport: both ends in one process, on the Python ring.

For tests; nothing here is shared with anybody, and nothing is faster than it must be.
"""

from __future__ import annotations

from paracore.transport.memory._transport import MemoryTransport

__all__ = ["MemoryTransport"]
