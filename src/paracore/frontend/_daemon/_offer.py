# SPDX-License-Identifier: Apache-2.0
"""What the guest shares for the control ring: pages, their directory, a port; from its publication until it is closed."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from paracore.frontend._daemon._holdings import format_pages
from paracore.protocol import PROTOCOL_VERSION, FrontendNodes, Role, mapping_size
from paracore.transport.local import LocalPages
from paracore.transport.xen import CONTROL_RING_ORDER, ControlRing, write_directory

if TYPE_CHECKING:
    from paracore.transport.xen import Hypervisor

__all__ = ["Offer"]


class Offer:
    """See the module.

    Attributes:
        nodes: what is to be published of it.
        ring: whoever takes it into use closes it.
    """

    def __init__(self, hypervisor: Hypervisor, remote: int) -> None:
        """Allocates.

        Raises:
            GrantError, EventChannelError: there is something that this guest cannot have, see their texts.
        """
        with ExitStack() as made:
            length = mapping_size(CONTROL_RING_ORDER)
            pages = made.enter_context(hypervisor.allocate(remote, length))
            format_pages(pages, CONTROL_RING_ORDER)
            directory = made.enter_context(closing(write_directory(hypervisor, remote, pages.references)))
            events = made.enter_context(hypervisor.unbound(remote))
            mapping = LocalPages().map(pages.descriptor, length, read_only=False)
            self.ring = ControlRing(mapping, CONTROL_RING_ORDER, Role.FRONTEND, events)
            made.callback(self.ring.close)
            self._made = made.pop_all()
        self.nodes = FrontendNodes(
            version=PROTOCOL_VERSION,
            ring_reference=directory.reference,
            ring_order=CONTROL_RING_ORDER,
            port=events.remote_port,
        )

    def close(self) -> None:
        """Takes everything back. Idempotent."""
        self._made.close()
