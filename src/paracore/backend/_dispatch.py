# SPDX-License-Identifier: Apache-2.0
"""What a domain may ask of its worker: one table from opcode to method, for one channel.

A message gets here as a private copy whose header, size and reserved fields the loop has checked. What
its payload cannot be (an unknown enumerator) raises ``MessageError`` and ends the channel; what it may
not ask for now is a value: a call is answered with a failure, a post by ``post_failed``. Whatever a
driver raises ends that driver's session with ``session_failed(io)`` and nothing else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from paracore.backend._buffer import Buffer
from paracore.backend._session import Session
from paracore.classes import core, video
from paracore.classes._payload import Kind
from paracore.drivers import CallFailed
from paracore.protocol import EVENT, FAILURE, HEADER, HEADER_SIZE, REPLY, Step, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._domain_books import Books
    from paracore.classes import Payload
    from paracore.drivers import Driver
    from paracore.transport import Mapping

__all__ = ["Channel", "Outlet"]
