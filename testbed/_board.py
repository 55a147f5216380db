# SPDX-License-Identifier: Apache-2.0
"""A board: Xen, dom0 and guests by name; commands in them, files to and from them."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import shutil
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from testbed import _image, _project, _qemu
from testbed._errors import CommandTimeout, DomainLost, TestbedError
from testbed._paths import BUILD
from testbed._remote import Process, Result
from testbed._snapshot import Snapshot, go_on, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Board", "folder_of"]

#: Of a guest that xl is given; the two lines in front of the last are what the domain's ``init`` and agent rest on.
_GUEST = """name = "{name}"
kernel = "/boot/vmlinuz"
ramdisk = "/usr/lib/testbed/boot.cpio"
memory = {memory}
vcpus = {processors}
on_poweroff = "destroy"
on_crash = "{on_crash}"
on_reboot = "restart"
extra = "console=hvc0 rdinit=/init rootfstype=ramfs panic=1 loglevel=4 testbed.address={address} {kernel}"
disk = [
    "format=raw,vdev=xvda,access=r,script=/usr/lib/testbed/block,target=/dev/vda",
    "format=raw,vdev=xvdb,access=r,script=/usr/lib/testbed/block,target=/dev/vdb",
]
vif = ["vifname={name},ip={address},script=/usr/lib/testbed/vif"]
{more}
"""

_PROJECT = "project.squashfs"
_STARTED = "] dom0 started"  # what domain/start says
_BOOT = "boot.cpio"
_EXTRA = "extra/testbed-token"
_BOOTED = "booted"  # what was carried into a domain since it was made: at first, what the board booted with

# What a Python program of the project begins with: it stays in memory.
_WARM_UP = ("python3", "-c", "import asyncio, av, json, numpy, paracore.cli, paracore.media, paracore.demo, pytest")
_WARM_UP_TIMEOUT = 600  # seconds; the host may be at other things, as it is when all tests run
_PULSE_TIMEOUT = 60  # seconds; it is a quarter of one

# Numbers are given once per board, by a folder that only one can make.
_NEXT_ADDRESS = 'i=2; until mkdir /run/testbed/addresses/$i 2>/dev/null; do i=$((i + 1)); done; echo "10.1.0.$i"'


def folder_of(name: str) -> Path:
    """Where a board with a name keeps its state: ``paracore testbed --board NAME up``."""
    return BUILD / "boards" / name


class Board:
    """An emulated board.

    As a context manager it boots and, however the block ends, leaves nothing behind. ``Board.attach`` finds one that
    another process has booted and left running.

    With ``guests`` it has these from the start: it goes on from a snapshot of a board where they run, which the first
    such board makes.
    """

    def __init__(
        self, folder: Path | None = None, options: _qemu.Options | None = None, guests: Sequence[str] = ()
    ) -> None:
        self.folder = folder or folder_of(secrets.token_hex(4))
        self._is_nameless = folder is None
        self._guests = tuple(guests)
        self.options = options or _qemu.Options()
        self._machine: _qemu.Machine | None = None
        self._token = ""

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leaves the consoles' words behind only when something went wrong, or when a folder was asked for."""
        if kind:
            self.kill()
            return
        self.power_off()
        if self._is_nameless:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- the board ---------------------------------------------------------------------------------

    def boot(self, *, detached: bool = False, timeout: float = 240) -> None:
        """Builds what is missing, switches the board on, and waits until dom0, and guests it began with, answer."""
        image = _image.build()
        self._begin_folder()
        try:
            if self._guests:
                self._go_on(image, detached=detached)
            else:
                self._switch_on(self._parts(image), detached=detached, timeout=timeout)
        except BaseException:
            self.kill()
            raise
        self._save()

    def _begin_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def _switch_on(
        self,
        parts: _qemu.Parts,
        *,
        detached: bool = False,
        timeout: float = 240,
        monitor: socket.socket | None = None,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._machine = _qemu.start(parts, self.folder, detached=detached, monitor=monitor)
        begin()
        self._wait_dom0(time.monotonic() + timeout)

    def _parts(self, image: _image.Image, memory: _qemu.Memory | None = None) -> _qemu.Parts:
        """Those of a board that boots."""
        self._token = secrets.token_hex(16)
        self._make_project_disk(image)
        return _qemu.Parts(image, self._boot_archive(image), self.folder / _PROJECT, self.options, memory)

    def _make_project_disk(self, image: _image.Image) -> None:
        _project.build()
        carried = _project.files()
        self._carried(_BOOTED).write_text(json.dumps(_project.state(carried)), encoding="utf-8")
        _project.make_disk(carried, image.boot, self.folder / _PROJECT)

    def _boot_archive(self, image: _image.Image) -> Path:
        """The first root of dom0, with the token behind it as a second archive."""
        token = self.folder / _EXTRA
        token.parent.mkdir()
        token.write_text(self._token, encoding="ascii")
        _image.pack_cpio(token.parent, self.folder / "extra.cpio")
        boot = self.folder / _BOOT
        boot.write_bytes(image.boot.read_bytes() + (self.folder / "extra.cpio").read_bytes())
        boot.chmod(0o600)
        return boot

    # --- snapshots ---------------------------------------------------------------------------------

    def _go_on(self, image: _image.Image, *, detached: bool) -> None:
        """From the snapshot; what has changed in the source tree since it was made is brought in.

        One in which time does not pass on all processors is made anew, not for ever.
        """
        snapshot = Snapshot(image, self.options, self._guests)
        for last in (False, False, True):
            with snapshot.alone():
                if not snapshot.is_current():
                    with snapshot.being_made():
                        Board(snapshot.board, self.options).record(image, snapshot, self._guests)
            self._go_on_from(image, snapshot, detached=detached)
            if self._has_pulse():
                break
            if last:
                raise TestbedError(
                    "the board stands still after its snapshot; start it again, or see qemu.log in its folder"
                )
            self.kill()
            snapshot.forget()
        _project.build()
        self._everywhere(self._bring)

    def _has_pulse(self) -> bool:
        script = (Path(__file__).parent / "domain" / "pulse.py").read_bytes()
        try:
            return not self.run("dom0", "python3", "-", octets=script, check=False, timeout=_PULSE_TIMEOUT).status
        except (CommandTimeout, DomainLost):
            return False

    def _go_on_from(self, image: _image.Image, snapshot: Snapshot, *, detached: bool) -> None:
        made = snapshot.board
        self._token = (made / _EXTRA).read_text(encoding="ascii")
        for name in (_qemu.CONSOLE, self._carried(_BOOTED).name):
            shutil.copyfile(made / name, self.folder / name)
        memory = _qemu.Memory(snapshot.memory, snapshot.state)
        parts = _qemu.Parts(image, made / _BOOT, made / _PROJECT, self.options, memory)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._switch_on(parts, detached=detached, monitor=theirs, begin=lambda: go_on(ours, snapshot.state))

    def record(self, image: _image.Image, snapshot: Snapshot, guests: Sequence[str]) -> None:
        """Boots, makes the guests, loads into memory what most programs need of the disk, and becomes the snapshot."""
        self._guests = tuple(guests)
        self._begin_folder()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                self._switch_on(self._parts(image, _qemu.Memory(snapshot.memory)), monitor=theirs)
                with ThreadPoolExecutor() as pool:
                    list(pool.map(self.create_guest, guests))
                self._everywhere(lambda domain: self.run(domain, *_WARM_UP, timeout=_WARM_UP_TIMEOUT))
                save(ours, snapshot.state)
            finally:
                self.kill()

    def _everywhere(self, do: Callable[[str], object]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(do, ("dom0", *self._guests)))

    def _wait_dom0(self, deadline: float) -> None:
        """First for the word on the console: a connection that is tried too early is slow to fail."""
        while _STARTED not in self.console() or not self._answers():
            if time.monotonic() > deadline or not _qemu.is_running(self._running().pid):
                raise TestbedError(f"the board did not come up; its last words:\n{self.console()[-4000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return not self.start("dom0", "true").wait(30).status
        except (CommandTimeout, DomainLost):
            return False

    def _running(self) -> _qemu.Machine:
        if not self._machine:
            raise TestbedError("this board is off")
        return self._machine

    def _save(self) -> None:
        state = self.folder / "state.json"
        state.touch(mode=0o600)
        state.write_text(json.dumps({**asdict(self._running()), "token": self._token}), encoding="utf-8")

    @classmethod
    def attach(cls, folder: Path) -> Board:
        """The board that another process has booted there."""
        board = cls(folder)
        try:
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TestbedError(f"no board runs in {folder}: paracore testbed up") from None
        if not _qemu.is_running(state["pid"]):
            raise TestbedError(f"the board in {folder} has ended: paracore testbed up")
        board._machine = _qemu.Machine(state["pid"], state["port"])
        board._token = state["token"]
        return board

    def console(self) -> str:
        """What Xen and dom0 wrote on the serial line."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / _qemu.CONSOLE).read_text(encoding="utf-8", errors="replace")
        return ""

    def power_off(self, timeout: float = 20) -> None:
        """Switches the board off; one that does not answer is ended."""
        if self._machine:
            with contextlib.suppress(TestbedError):
                self.start("dom0", "poweroff", "-f").wait(5)
            _qemu.wait_ended(self._machine.pid, timeout)
        self.kill()

    def kill(self) -> None:
        """Pulls the plug."""
        if self._machine:
            _qemu.kill(self._machine.pid)
            self._machine = None
            (self.folder / "state.json").unlink(missing_ok=True)

    # --- guests ------------------------------------------------------------------------------------

    def create_guest(
        self,
        name: str,
        *,
        memory: int = 384,
        processors: int = 1,
        kernel: str = "",
        more: str = "",
        on_crash: str = "destroy",
        wait: bool = True,
    ) -> int:
        """Makes a guest and waits until it answers; returns its domid.

        Args:
            name: of the guest, and of its network interface in dom0: at most 15 letters.
            memory: in MiB.
            processors: how many it has.
            kernel: more options for its kernel.
            more: more lines of its xl configuration.
            on_crash: what the toolstack does when it panics.
            wait: whether to wait.
        """
        address = self.run("dom0", "sh", "-c", _NEXT_ADDRESS).output.strip()
        text = _GUEST.format(
            name=name,
            memory=memory,
            processors=processors,
            kernel=kernel,
            more=more,
            on_crash=on_crash,
            address=address,
        )
        path = f"/run/testbed/{name}.cfg"
        self.write_file("dom0", path, text.encode())
        self.run("dom0", "xl", "create", "-q", path, timeout=240)
        if wait:
            self._welcome(name)
        return self.domid(name)

    def _welcome(self, name: str) -> None:
        """Waits for a guest that boots, and brings it what has changed since the board's disk was made."""
        self.wait_ready(name)
        self._carried(name).unlink(missing_ok=True)
        self._bring(name)

    def reboot_guest(self, name: str, timeout: float = 240) -> int:
        """Asks a guest to reboot and waits until it is back; returns its new domid."""
        before, until = self.domid(name), time.monotonic() + timeout
        self.run("dom0", "xl", "reboot", name)
        while (said := self._way_to(name)) in ("", str(before)):
            if time.monotonic() > until:
                raise TestbedError(f"{name} does not reboot; its last words:\n{self.guest_console(name)[-2000:]}")
            time.sleep(0.5)  # xl has no way to be told
        self._welcome(name)
        return int(said)

    def _way_to(self, name: str) -> str:
        """The domid of a guest that has its network interface; nothing while there is no such guest."""
        script = 'test -e "/sys/class/net/$0" && xl domid "$0"'
        return self.run("dom0", "sh", "-c", script, name, check=False).output.strip()

    def destroy_guest(self, name: str) -> None:
        """Ends a guest at once."""
        self.run("dom0", "xl", "destroy", name)

    def domid(self, name: str) -> int:
        """Of a domain."""
        return int(self.run("dom0", "xl", "domid", name).output)

    def guests(self) -> list[str]:
        """The names of all guests."""
        lines = self.run("dom0", "xl", "list").output.splitlines()[1:]
        return [line.split()[0] for line in lines if line.split()[0] != "Domain-0"]

    def wait_ready(self, domain: str, timeout: float = 240) -> None:
        """Waits until a domain runs commands."""
        self.start(domain, "true", patience=timeout).wait(timeout + 5).check()

    def guest_console(self, name: str) -> str:
        """What a guest wrote on its console."""
        return self.run("dom0", "sh", "-c", f"cat /var/log/xen/console/guest-{name}.log").output

    # --- commands and files ------------------------------------------------------------------------

    def start(self, domain: str, *command: str, **options: Any) -> Process:
        """Starts a command; the options are those of ``Process``."""
        machine = self._running()
        return Process(machine.port, self._token, domain, command, **options)

    def run(
        self,
        domain: str,
        *command: str,
        timeout: float = 120,
        octets: bytes = b"",
        check: bool = True,
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs a command to its end, with the octets as its input; by default, one that fails raises."""
        with self.start(domain, *command, directory=directory, environment=environment) as process:
            process.write(octets)
            process.end_input()
            result = process.wait(timeout)
        return result.check() if check else result

    def write_file(self, domain: str, path: str, octets: bytes) -> None:
        """Writes a file in a domain."""
        self.run(domain, "sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1"', "write", path, octets=octets, timeout=300)

    def read_file(self, domain: str, path: str) -> bytes:
        """Reads a file of a domain."""
        return self.run(domain, "cat", path, timeout=300).octets

    def put(self, domain: str, sources: Iterable[Path], folder: str) -> None:
        """Copies files and folders into a folder of a domain."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for source in sources:
                tar.add(source, source.name)
        self._unpack(domain, archive.getvalue(), folder)

    def get(self, domain: str, path: str, folder: Path) -> None:
        """Copies a file or a folder of a domain into a folder of the host."""
        parent, _, name = path.rstrip("/").rpartition("/")
        octets = self.run(domain, "tar", "-c", "-C", parent or "/", name, timeout=300).octets
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
            tar.extractall(folder, filter="data")

    def push(self, domain: str) -> int:
        """Brings what has changed in the source tree into a domain; returns how many files that are."""
        _project.build()
        return self._bring(domain)

    def _bring(self, domain: str) -> int:
        carried = _project.files()
        new, old = _project.state(carried), self._state_of(domain)
        changed = {name: path for name, path in carried.items() if new[name] != old.get(name)}
        gone = [f"{_project.PLACE}/{name}" for name in old if name not in new]
        if gone:
            self.run(domain, "xargs", "-0", "rm", "-f", octets="\0".join(gone).encode())
        if changed:
            self._unpack(domain, _project.archive(changed), _project.PLACE)
        self._carried(domain).write_text(json.dumps(new), encoding="utf-8")
        return len(changed) + len(gone)

    def _carried(self, domain: str) -> Path:
        return self.folder / f"carried-{domain}.json"

    def _state_of(self, domain: str) -> dict[str, list[int]]:
        for path in (self._carried(domain), self._carried(_BOOTED)):
            if path.is_file():
                return dict(json.loads(path.read_text(encoding="utf-8")))
        return {}

    def _unpack(self, domain: str, archive: bytes, folder: str) -> None:
        script = 'mkdir -p "$1" && exec tar -x --no-same-owner -C "$1"'
        self.run(domain, "sh", "-c", script, "unpack", folder, octets=archive, timeout=300)
