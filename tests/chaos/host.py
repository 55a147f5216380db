# SPDX-License-Identifier: Apache-2.0
"""One Linux with a backend and eight domains, each a group: what the events of ``schedule.HOST`` do there."""

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.backends import Backend, alive, descriptors, kill, own_holdings, shared_mappings, wait_until

FIRST_GID = 63001
TOKEN = "PARACORE_CHAOS"
"""In the environment of all that a run starts, so that whatever is left of it can be found."""
PATIENCE = 20.0
LINGER = 1.0
VISIT = "import sys, paracore; paracore.open(sys.argv[1]).close()"


def configuration(address, domains):
    head = f'[backend]\nsocket = "{address}"\nworker_linger = {LINGER}\nlog_level = "info"\n\n'
    device = '[[device]]\nname = "vpu0"\ndriver = "libav"\nslots = 2\noptions = { threads = 1 }\n\n'
    return head + device + "".join(f'[[domain]]\nname = "d{n}"\ngroup = {FIRST_GID + n}\n\n' for n in range(domains))


class Host:
    """See the module. Its methods that are named in ``DEEDS`` do what an event says and tell whether it met anything."""

    def __init__(self, domains, token):
        self.token = token
        self._earlier = set()
        self._own = own_holdings()
        self._backend = Backend()
        self._backend.file.write_text(configuration(self._backend.address, domains))
        self._backend.start()
        visitor = [sys.executable, "-c", VISIT, self._backend.address]
        subprocess.run(visitor, check=True, timeout=PATIENCE, group=self.gid(0))  # the warm parent has come to rest
        wait_until(lambda: self._is_idle() and self._is_at_rest(), "the worker stays", PATIENCE)
        self._fresh = self._held()

    def address(self, domain):
        return self._backend.address

    def gid(self, domain):
        """Of its programs."""
        return FIRST_GID + domain

    # --- events ---------------------------------------------------------------------------------

    def kill_worker(self, domain):
        worker = self._backend.domain(f"d{domain}")["worker"]
        return bool(worker and kill(worker["pid"]))

    def kill_warm_parent(self, _):
        return any(kill(pid) for pid in self._family() if _name(pid) == "paracore-warm")

    def kill_supervisor(self, _):
        self._family()
        self._backend.kill()
        self._backend.start()
        return True

    def restart_supervisor(self, _):
        self._family()
        code = self._backend.stop()
        assert code == 0, f"the supervisor ended with {code}"
        self._backend.start()
        return True

    def reload_supervisor(self, _):
        self._family()
        self._backend.reload()
        return True

    # --- the end --------------------------------------------------------------------------------

    def left(self):
        """What there is that should not be, with all streams over; an empty dictionary if nothing is."""
        found = {}
        _try(found, "idle", lambda: wait_until(self._is_idle, f"{self._backend.statistics()}", PATIENCE))
        _try(found, "held", lambda: wait_until(self._is_at_rest, "processes", PATIENCE))
        if (held := self._held()) != self._fresh:
            found["supervisor"] = {"fresh": self._fresh, "now": held}
        if earlier := [pid for pid in self._earlier - set(self._family()) if alive(pid) and _is_of(pid, self.token)]:
            found["processes of earlier backends"] = earlier
        log = self._backend.log.read_text()
        if "Traceback" in log:
            found["log"] = log[log.index("Traceback") :][:4000]
        return found

    def close(self):
        """Ends it; returns what is left even then."""
        found = {}
        folder = self._backend.folder
        self._backend.remove()
        if processes := [pid for pid in map(int, _numbers()) if pid != os.getpid() and _is_of(pid, self.token)]:
            found["processes"] = [(pid, _name(pid)) for pid in processes]
        if folder.exists():
            found["files"] = [str(path) for path in folder.iterdir()]
        if (own := own_holdings()) != self._own:
            found["own descriptors and mappings"] = {"before": self._own, "now": own}
        return found

    # --- inside ---------------------------------------------------------------------------------

    def _family(self):
        """All processes of the backend; what was ever seen is remembered."""
        found = self._backend.processes()
        self._earlier |= set(found)
        return found

    def _is_at_rest(self):
        return sorted(map(_name, self._family()[1:])) == ["paracore-warm"]

    def _is_idle(self):
        said = self._backend.statistics()
        return said["connections"] == 1 and not any(said[name] for name in ("channels", "grants", "bytes", "workers"))

    def _held(self):
        """Descriptors and shared mappings of supervisor and warm parent, once nobody asks any more."""
        counts = []

        def steady():
            counts.append([(descriptors(pid), shared_mappings(pid)) for pid in self._family()])
            return len(counts) > 3 and counts[-1] == counts[-2] == counts[-3]

        wait_until(steady, "descriptors come and go", PATIENCE)
        return counts[-1]


DEEDS = {
    "worker killed": Host.kill_worker,
    "warm parent killed": Host.kill_warm_parent,
    "supervisor killed": Host.kill_supervisor,
    "supervisor restarted": Host.restart_supervisor,
    "supervisor reloaded": Host.reload_supervisor,
}


def _numbers():
    return (path.name for path in Path("/proc").glob("[0-9]*"))


def _name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_of(pid, token):
    """Whether a process is of the run with this token."""
    try:
        return f"{TOKEN}={token}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes() and alive(pid)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _try(found, what, step):
    try:
        step()
    except AssertionError as failed:
        found[what] = str(failed)
