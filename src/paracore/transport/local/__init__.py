# SPDX-License-Identifier: Apache-2.0
"""The local transport: domains are processes and containers on this Linux.

Pages are sealed memfds, doorbells are eventfds, and a Unix socket hands them out (class ``link``).
"""

from __future__ import annotations

from paracore.transport.local._pages import LocalPages
from paracore.transport.local._socket import Credentials, UnixSocket, credentials_of
from paracore.transport.local._transport import LocalTransport

__all__ = ["Credentials", "LocalPages", "LocalTransport", "UnixSocket", "credentials_of"]
