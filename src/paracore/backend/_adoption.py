# SPDX-License-Identifier: Apache-2.0
"""Domains from one program image of the supervisor to the next, beside a configuration that was read anew.

A domain goes on if it is who it was, with the devices that it had; a guest with what its toolstack has decided. Its
processes, its worker and their channels notice nothing: what they say meanwhile waits in sockets and rings, and what
ends meanwhile is found ended. Nothing here waits.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from paracore._errors import ConfigError, EventChannelError, GrantError
from paracore.backend._connection import Connection
from paracore.backend._handover import DomainState
from paracore.classes.link import Refusal

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence

    from paracore.backend._config import Config
    from paracore.backend._domain import Domain
    from paracore.backend._handover import ConnectionState, State
    from paracore.backend._supervisor import Supervisor
    from paracore.transport import Port
    from paracore.transport._handover import GuestState, PortState
    from paracore.transport.local._listener import LocalListener
    from paracore.transport.xen import XenListener

__all__ = ["Adoption", "domain_state", "states_of"]

_log = logging.getLogger("paracore.backend")


def states_of(connections: Iterable[Connection]) -> Mapping[Domain | None, list[ConnectionState]]:
    """What connections hand over, by their domains."""
    states: dict[Domain | None, list[ConnectionState]] = defaultdict(list)
    for connection in connections:
        if state := connection.hand_over():
            states[connection.domain].append(state)
    return states


def domain_state(supervisor: Supervisor, domain: Domain, connections: Sequence[ConnectionState]) -> DomainState:
    """What a domain hands over."""
    return DomainState(
        section=domain.section,
        identities=domain.identities,
        violations=domain.violations,
        workers_lost=domain.workers_lost,
        worker_left_at=domain.worker_left_at,
        worker=domain.worker.hand_over() if domain.worker else None,
        connections=tuple(connections),
        account=supervisor.sharing.hand_over(domain),
        reserved=supervisor.admission.hand_over(domain),
        ledger=domain.ledger.hand_over(),
    )


class Adoption:
    """Enters what was handed over where the supervisor has it.

    Args:
        supervisor: whose domains are those of the configuration already.
        listeners: through which processes and guests came; None: guests are not served any more.
        connections: the supervisor's.
        ungreeted: its counts of those that have not said hello.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        listeners: tuple[LocalListener, XenListener | None],
        connections: dict[Port, Connection],
        ungreeted: Counter[str],
    ) -> None:
        self._supervisor = supervisor
        self._listener, self._guests = listeners
        self._connections = connections
        self._ungreeted = ungreeted

    def all(self, state: State) -> None:
        """Guests first: they bring their domains with them."""
        attached = {identity for guest in state.guests if (identity := self._guest(guest))}
        domains = {(domain.name, domain.identities): domain for domain in self._supervisor.domains}
        for each in state.domains:
            domain = domains.get((each.section.name, each.identities))
            if domain and attached.intersection(domain.identities):
                domain.change(each.section)  # to what it was changed to while it was used: no file says otherwise
                self._supervisor.sharing.renew(domain)
            if domain and _has_its_devices(domain, each, self._supervisor.config):
                self._go_on(domain, each)
            else:
                self._end(each)
        for stranger in state.strangers:
            self._connection(None, stranger)

    def _guest(self, guest: GuestState) -> str | None:
        """A guest's device and its domain; returns how that is known."""
        try:
            if self._guests:
                return self._guests.adopt(guest)
            error: Exception = ConfigError("xen.enabled", "guests are not served any more")
        except (ConfigError, GrantError, EventChannelError) as failure:
            error = failure
        _log.warning("domid %d, device %d does not go on: %s", *guest.place[1:], error)
        _close_all(guest.descriptors())
        return None

    def _connection(self, domain: Domain | None, state: ConnectionState) -> Connection | None:
        """One connection, of a domain whose worker is there already; None: its guest does not go on."""
        port = self._port(state.port)
        if port is None:
            _close_all(state.port.descriptors())
            return None
        connection = self._connections[port] = Connection(self._supervisor, port)
        if not state.greeted and not state.ended:
            self._ungreeted[port.peer.identities[0]] += 1
        connection.adopt(state, domain)
        return connection

    def _port(self, state: PortState) -> Port | None:
        if state.process is None:
            return self._listener.adopt(state, self._supervisor)
        return self._guests.adopt_port(state) if self._guests else None

    def _go_on(self, domain: Domain, state: DomainState) -> None:
        if state.worker:
            domain.worker = self._supervisor.workers.adopt(domain, state.worker)
        connections = [self._connection(domain, each) for each in state.connections]
        domain.adopt(state, [connection for connection in connections if connection])
        self._supervisor.sharing.adopt(domain, state.account)
        self._supervisor.admission.adopt(domain, state.reserved)

    def _end(self, state: DomainState) -> None:
        """It is no more, or another one by its name: its connections are told so, its worker is ended."""
        for each in state.connections:
            if each.port.process:
                _close_all(each.port.descriptors())  # its guest is told by what it finds in xenstore
                continue
            bare = each._replace(port=each.port.without_grants(), channel=0)
            if connection := self._connection(None, bare):
                connection.end(Refusal.DETACHED)
        if state.worker:
            state.worker.end()
        _log.info("domain %s does not go on", state.section.name)


def _has_its_devices(domain: Domain, state: DomainState, config: Config) -> bool:
    """Its worker knows devices by their places."""
    devices = [device.name for device in config.device]
    return domain.section.device_names(devices) == state.section.device_names(devices)


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
