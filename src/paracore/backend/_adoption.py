# SPDX-License-Identifier: Apache-2.0
"""Domains from one program image of the supervisor to the next, beside a configuration that was read anew.

A domain goes on if it is who it was, with the devices that it had. Its processes, its worker and their channels notice
nothing: what they say meanwhile waits in sockets, and what ends meanwhile is found ended. Nothing here waits.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from paracore.backend._connection import Connection
from paracore.backend._handover import DomainState
from paracore.backend._worker_end import WorkerEnd
from paracore.classes.link import Refusal

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence

    from paracore.backend._config import Config
    from paracore.backend._domain import Domain
    from paracore.backend._handover import ConnectionState
    from paracore.backend._supervisor import Supervisor
    from paracore.transport import Port
    from paracore.transport.local._listener import LocalListener

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
    )


class Adoption:
    """Enters what was handed over where the supervisor has it.

    Args:
        supervisor: whose domains are those of the configuration already.
        listener: through which they came.
        connections: the supervisor's.
        ungreeted: its counts of those that have not said hello.
        workers: its workers, by number.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        listener: LocalListener,
        connections: dict[Port, Connection],
        ungreeted: Counter[str],
        workers: dict[int, WorkerEnd],
    ) -> None:
        self._supervisor = supervisor
        self._listener = listener
        self._connections = connections
        self._ungreeted = ungreeted
        self._workers = workers
        self._domains = {domain.name: domain for domain in supervisor.domains}

    def domain(self, state: DomainState) -> None:
        """One domain, if the configuration still has it."""
        domain = self._domains.get(state.section.name)
        if domain and _goes_on(domain, state, self._supervisor.config):
            self._go_on(domain, state)
        else:
            self._end(state)

    def connection(self, domain: Domain | None, state: ConnectionState) -> Connection:
        """One connection, of a domain whose worker is there already."""
        port = self._listener.adopt(state.port, self._supervisor)
        connection = self._connections[port] = Connection(self._supervisor, port)
        if not state.greeted and not state.ended:
            self._ungreeted[port.peer.identities[0]] += 1
        connection.adopt(state, domain)
        return connection

    def _go_on(self, domain: Domain, state: DomainState) -> None:
        if state.worker:
            domain.worker = self._workers[state.worker.number] = WorkerEnd(state.worker.number, domain, state.worker)
        domain.adopt(state, [self.connection(domain, each) for each in state.connections])
        self._supervisor.sharing.adopt(domain, state.account)
        self._supervisor.admission.adopt(domain, state.reserved)

    def _end(self, state: DomainState) -> None:
        """It is no more, or another one by its name: its connections are told so, its worker is ended."""
        for each in state.connections:
            bare = each._replace(port=each.port.without_grants(), channel=0)
            self.connection(None, bare).end(Refusal.DETACHED)
        if state.worker:
            state.worker.end()
        _log.info("domain %s is not in the configuration any more", state.section.name)


def _goes_on(domain: Domain, state: DomainState, config: Config) -> bool:
    """Its worker knows devices by their places."""
    devices = [device.name for device in config.device]
    same_devices = domain.section.device_names(devices) == state.section.device_names(devices)
    return domain.identities == state.identities and same_devices
