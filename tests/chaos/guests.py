# SPDX-License-Identifier: Apache-2.0
"""Guests with a daemon each, on the fakes of Xen, a backend and real workers: what the events of ``schedule.XEN`` do there."""

from contextlib import suppress

from paracore.frontend._daemon._settings import FrontendSettings
from paracore.transport import Refused
from paracore.transport.local import LocalTransport
from tests.integration.backends import kill, own_holdings, wait_until
from tests.integration.xen.machine import Machine

FIRST = 3
PATIENCE = 60.0
"""Eight guests that come back at once are many for the one thread of the fakes, on a busy machine."""


class Guests:
    """See the module. Its methods that are named in ``DEEDS`` do what an event says and tell whether it met anything."""

    def __init__(self, domains, _):
        self._own = own_holdings()
        self._machine = Machine(driver="libav", slots=2, linger=1.0, patience=FrontendSettings().backend_timeout)
        self._guests = [self._machine.guest(FIRST + number) for number in range(domains)]
        self._fresh = self._held()

    def address(self, domain):
        return self._guests[domain].address

    def gid(self, _):
        """Of its programs: any, a daemon serves whoever reaches its socket."""

    # --- events ---------------------------------------------------------------------------------

    def kill_worker(self, domain):
        name = f"guest{FIRST + domain}"
        worker = next((said["worker"] for said in self._machine.status()["domains"] if said["name"] == name), None)
        return bool(worker and kill(worker["pid"]))

    def kill_daemon(self, domain):
        self._guests[domain].kill()
        self._guests[domain].start()
        self._wait_served(self._guests[domain])
        return True

    def restart_backend(self, _):
        return self._start_after(self._machine.stop)

    def kill_backend(self, _):
        return self._start_after(self._machine.kill)

    def _start_after(self, end):
        before = self._machine.launched[-1]
        end()
        before.process.wait(PATIENCE)
        before.socket.close()
        self._machine.start()
        for guest in self._guests:
            self._wait_served(guest)
        return True

    def reload_backend(self, _):
        self._machine.reload()
        return True

    # --- the end --------------------------------------------------------------------------------

    def left(self):
        """What there is that should not be, with all streams over; an empty dictionary if nothing is."""
        found = {}
        with suppress(AssertionError):
            wait_until(lambda: self._held() == self._fresh, "something is held", PATIENCE)
        if (held := self._held()) != self._fresh:
            found["held"] = {"fresh": self._fresh, "now": held}
        return found

    def close(self):
        """Ends all; returns what is left even then."""
        self._machine.close()
        own = own_holdings()
        return {} if own == self._own else {"own descriptors and mappings": {"before": self._own, "now": own}}

    # --- inside ---------------------------------------------------------------------------------

    def _wait_served(self, guest):
        """Until its programs are; the states alone may still be those of a daemon that has been killed."""
        wait_until(lambda: _is_served(guest.address), f"{guest.domain} has no backend", PATIENCE)

    def _held(self):
        """Pages and ports that the backend has, pages that each guest has granted, and what the supervisor counts."""
        granted = [guest.hypervisor.statistics() for guest in self._guests]
        said = self._machine.statistics()
        counted = {name: getattr(said, name) for name in ("channels", "grants", "bytes", "workers")}
        return self._machine.held(), [each.granted - each.revoked for each in granted], counted


def _is_served(address):
    try:
        with LocalTransport().connect(address):
            return True
    except Refused:
        return False


DEEDS = {
    "worker killed": Guests.kill_worker,
    "daemon killed": Guests.kill_daemon,
    "backend killed": Guests.kill_backend,
    "backend restarted": Guests.restart_backend,
    "backend reloaded": Guests.reload_backend,
}
