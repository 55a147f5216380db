# SPDX-License-Identifier: Apache-2.0
"""``paracore frontend``: the PV frontend driver of a Xen guest, in userspace.

=================  ======================================================================
``_daemon``        the socket, who may be served, the order of the end
``_device``        the xenbus device, by the table of ``protocol``
``_offer``         what is shared for the control ring
``_bridge``        calls over the control ring that are waited for
``_outstanding``   its rules, without a descriptor
``_process``       one process of the guest, call by call
``_holdings``      the pages and the port that it has
``_users``         what bounds the processes of one user
=================  ======================================================================
"""

from __future__ import annotations

from paracore.frontend._daemon._serve import serve_frontend
from paracore.frontend._daemon._settings import DEFAULT_SOCKET, FrontendSettings

__all__ = ["DEFAULT_SOCKET", "FrontendSettings", "serve_frontend"]
