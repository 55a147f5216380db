# SPDX-License-Identifier: Apache-2.0
"""A backend in its own process, as an administrator would run it, and domains with users of their own."""

import gc
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from paracore.classes import core, link, video
from paracore.drivers.null._session import UNIT
from paracore.testing import HostileDomain
from paracore.transport import Refused  # noqa: F401 - loaded before a child has no more rights to
from paracore.transport.local import LocalTransport, _frontend  # noqa: F401 - as above

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="domains of other users need root")

BETA, GAMMA, STRANGER = 47001, 47002, 47009
WRITABLE = link.BufferFlag(0)
PLAIN = video.InputFlag(0)
PATIENCE = 10.0

_SERVE = """
import sys
from paracore.backend import config_load, serve
serve(config_load(sys.argv[1]), ready=lambda: print("ready", flush=True))
"""

_BETWEEN = """
import os
if os.environ.get("PARACORE_HANDOVER", "").isdecimal():
"""


def configuration(socket, *, linger=30.0, limits="", options="", driver="null", weight=100, device=""):
    return f"""
[backend]
socket = "{socket}"
worker_linger = {linger}
log_level = "info"

[[device]]
name = "vpu0"
driver = "{driver}"
{device}
{options}

[[domain]]
name = "alpha"
user = {os.geteuid()}
weight = {weight}
[domain.limits]
{limits}

[[domain]]
name = "beta"
user = {BETA}

[[domain]]
name = "gamma"
user = {GAMMA}
"""


class Backend:
    """One run after another of a backend on one socket.

    `between` is done by each program image that follows another one, before it serves; `within` is a command that starts
    another one, see ``setpriv``.
    """

    def __init__(self, *, between="", within=(), **settings):
        self._within = within
        self._program = f"{_BETWEEN}    {between}\n{_SERVE}" if between else _SERVE
        # Not pytest's own folder: other users may not go there.
        folder = self.folder = Path(tempfile.mkdtemp(prefix="paracore-test-"))
        folder.chmod(0o755)
        self.address = str(folder / "paracore.sock")
        self.transport = LocalTransport()
        self.file = folder / "paracore.toml"
        self.file.write_text(configuration(self.address, **settings))
        self.log = folder / "log"
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            command = [*self._within, sys.executable, "-c", self._program, str(self.file)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, bufsize=0)
        assert self.process.stdout.readline() == b"ready\n", self.log.read_text()
        return self

    def stop(self):
        """Ends it as systemd would; returns the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        return code

    def reload(self):
        """Has it become its next program image, and waits until that serves."""
        self.begin_reload()
        self.wait_said("ready")

    def begin_reload(self):
        self.process.send_signal(signal.SIGHUP)

    def said(self, timeout=0):
        """Whether it has something to say: that it is ready again."""
        return bool(select.select([self.process.stdout], [], [], timeout)[0])

    def wait_said(self, word):
        assert self.said(3 * PATIENCE), self.log.read_text()
        assert self.process.stdout.readline() == f"{word}\n".encode(), self.log.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def remove(self):
        """Ends it and leaves nothing."""
        self.stop()
        shutil.rmtree(self.folder)

    def connect(self):
        return self.transport.connect(self.address)

    def status(self):
        """What the administrator sees."""
        asker = HostileDomain(self.transport, self.address)
        try:
            asker.hello()
            reply, descriptors = asker.link_call(link.Status.OPCODE, b"")
            length = link.StatusReply.unpack(reply).length
            mapping = self.transport.pages.map(descriptors[0], length, read_only=True)
            os.close(descriptors[0])
            text = bytes(mapping.view())
            mapping.close()
            return json.loads(text)
        finally:
            asker.close()

    def domain(self, name="alpha"):
        return next(domain for domain in self.status()["domains"] if domain["name"] == name)

    def statistics(self):
        return self.status()["statistics"]

    def worker(self, name="alpha"):
        """The process of a domain's worker, which may be at work before its number is known."""
        wait_until(lambda: self.domain(name)["worker"], f"{name} has no worker")
        return self.domain(name)["worker"]["pid"]

    def processes(self):
        """All that belong to the backend."""
        return family(self.process.pid)


class Elsewhere:
    """A backend out of reach, in another domain: a test may use its device, and is skipped if it wants more."""

    def __init__(self, address, *, driver="null", options="", **settings):
        self.address = address
        if driver != "libav" or settings or "threads" in options:
            pytest.skip("needs a backend with settings of its own")

    def __getattr__(self, name):
        pytest.skip(f"needs the backend's {name}, which is in another domain")


def family(pid):
    """A process and all its descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def own_holdings():
    """Descriptors of this process by their kind, and shared mappings, without those that only wait to be collected."""
    gc.collect()
    kinds = Counter(kind(link) for link in Path("/proc/self/fd").iterdir())
    return dict(sorted(kinds.items())), shared_mappings(os.getpid())


def kind(link):
    """What a descriptor is of: the name of a file, else without its number."""
    try:
        return re.sub(r":\[\d+\]$", "", str(link.readlink()))
    except FileNotFoundError:  # the one by which the folder is read
        return "folder"


def kill(process):
    """Says whether there was such a process."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def shared_mappings(pid):
    return Path(f"/proc/{pid}/maps").read_text().count("memfd:paracore")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_memory(pid):
    """Octets of PSS."""
    return 1024 * int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)[1])


def wait_until(holds, what, timeout=PATIENCE):
    until = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.01)


class Guest:
    """A process of another user that does one thing: what it returns, or what it raised, is told by ``result``."""

    def __init__(self, user, step):
        self._read, write = os.pipe()
        self._line_in, self._line_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            os.close(self._line_out)
            self._be(user, step, write)
        os.close(write)
        os.close(self._line_in)

    def _be(self, user, step, write):
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            said = {"returned": step(self)}
        except BaseException as error:  # noqa: BLE001 - told to the test
            said = {"raised": f"{type(error).__name__}: {error}"}
        finally:
            try:
                os.write(write, json.dumps(said).encode() + b"\n")
            finally:
                os._exit(0)

    def say(self, word):
        """From within: one word to the test, before the end."""
        os.write(2, f"{word}\n".encode())

    def wait_go(self):
        """From within: waits until the test says ``go``."""
        os.read(self._line_in, 1)

    def go(self):
        os.write(self._line_out, b".")

    def result(self, timeout=PATIENCE):
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        assert poll.poll(timeout * 1000), "the guest says nothing"
        said = json.loads(os.read(self._read, 65536))
        os.waitpid(self.pid, 0)
        os.close(self._read)
        os.close(self._line_out)
        assert "raised" not in said, said["raised"]
        return said["returned"]

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)
        os.close(self._line_out)


class Stream:
    """A decoder session on a channel, fed with units of the null driver."""

    SIZE = 64

    def __init__(self, channel, pages=16, device=0):
        self.channel = channel
        self.inputs = channel.buffer(4096, link.BufferFlag.READ_ONLY)
        self.outputs = channel.buffer(4096 * pages, WRITABLE)
        self.count = pages
        opening = video.Open(device, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
        self.session = video.OpenReply.unpack(channel.call(opening.OPCODE, 0, opening.pack())).session
        self.pictures = 0
        for cookie in range(pages):
            self.lend(cookie)

    def lend(self, cookie):
        span = video.Span(self.outputs.id, 4096, 4096 * cookie)
        self.post(video.QueueOutput(span, cookie))

    def post(self, request):
        self.channel.post(request.OPCODE, self.session, request.pack())

    def feed(self, number, flags=PLAIN):
        """One unit; its picture is one shade, `number` modulo 256."""
        with self.inputs.view() as view:
            view[: UNIT.size] = UNIT.pack(b"null", self.SIZE, self.SIZE, number % 256)
        self.post(video.QueueInput(video.Span(self.inputs.id, UNIT.size, 0), number, flags, number, 1))
        self.channel.flush()

    def wait_picture(self, timeout=PATIENCE):
        """The shade of the next picture; its span is lent again."""
        while True:
            event = self.channel.next_event(timeout)
            assert event is not None, "no picture comes"
            if event.opcode == video.OutputReady.OPCODE:
                ready = video.OutputReady.unpack(event.payload)
                with self.outputs.view() as view:
                    shade = view[4096 * ready.cookie]
                self.lend(ready.cookie)
                self.pictures += 1
                return shade
            assert event.opcode in (video.InputDone.OPCODE, video.SourceChange.OPCODE), event

    def play(self, count, start=0):
        for number in range(start, start + count):
            self.feed(number)
            assert self.wait_picture() == number % 256

    def close(self):
        self.channel.call(video.Close.OPCODE, self.session, b"")
        self.inputs.close()
        self.outputs.close()


def limits_of(channel):
    return core.LimitsQueryReply.unpack(channel.call(core.LimitsQuery.OPCODE, 0, b""))


def in_thread(step):
    thread = threading.Thread(target=step)
    thread.start()
    return thread
