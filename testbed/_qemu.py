# SPDX-License-Identifier: Apache-2.0
"""The emulated machine: an ARM64 board with a virtualisation extension, a disk and a line to the host."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed._errors import TestbedError
from testbed.domain.agent import PORT

if TYPE_CHECKING:
    from testbed._image import Image

__all__ = ["CONSOLE", "Machine", "Memory", "Options", "Parts", "free_port", "is_running", "kill", "start"]

#: Each change from one domain to another empties the caches of an emulated processor: as few as can be.
_SCHEDULING = "sched=credit sched_credit_tslice_ms=30 sched_ratelimit_us=10000"
#: A guest gets as much as comes with Xen, 64, unless its configuration asks for more, which is bounded by this.
_GRANTS = "gnttab_max_frames=128"

_KERNEL_AT, _BOOT_AT = "0x49000000", "0x50000000"
_PR_SET_PDEATHSIG = 1

#: What Xen and dom0 say on the serial line, in a machine's folder; added to what is there.
CONSOLE = "console.log"


@dataclass(frozen=True)
class Options:
    """How a board is made.

    Attributes:
        memory: of the machine, in MiB.
        dom0_memory: of dom0, in MiB.
        processors: of the machine and of dom0.
        xen: more options for Xen, as ``xsm=dummy``.
        kernel: more options for dom0's kernel.
    """

    memory: int = 3072
    dom0_memory: int = 1024
    processors: int = 2
    xen: str = ""
    kernel: str = ""


@dataclass(frozen=True)
class Memory:
    """A file that holds a machine's memory, for snapshots.

    Attributes:
        path: the file.
        state: the rest of what a machine is, to go on from; without it the machine boots, and writes to the file. One
            that goes on leaves the file as it is, so that several can.
    """

    path: Path
    state: Path | None = None


@dataclass(frozen=True)
class Machine:
    """A machine that runs: its process and the port of the host that leads to dom0."""

    pid: int
    port: int


def free_port() -> int:
    """A port of the host that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True)
class Parts:
    """What a machine is made of.

    Attributes:
        boot: the first root of dom0.
        project: the second disk.
        memory: see there; None for a machine of which no snapshot is made or used.
    """

    image: Image
    boot: Path
    project: Path
    options: Options
    memory: Memory | None = None


def _command(parts: Parts, port: int, console: Path, monitor: int | None) -> list[str]:
    image, options, memory = parts.image, parts.options, parts.memory
    xen = (
        f"dom0_mem={options.dom0_memory}M dom0_max_vcpus={options.processors} console=dtuart dtuart=/pl011@9000000 "
        f"bootscrub=0 {_SCHEDULING} {_GRANTS} {options.xen}"
    )
    kernel = f"console=hvc0 rdinit=/init testbed.dom0 loglevel=4 {options.kernel}"
    disks = (image.disk, parts.project)
    words = {
        "-machine": "virt,virtualization=on,gic-version=3" + (",memory-backend=memory" if memory else ""),
        "-cpu": "max,pauth=off,sve=off",
        "-smp": str(options.processors),
        "-m": str(options.memory),
        "-accel": "tcg,thread=multi",
        "-display": "none",
        "-monitor": "none",
        "-chardev": f"file,id=console,path={console},append=on",
        "-serial": "chardev:console",
        "-kernel": str(image.xen),
        "-append": xen.strip(),
        "-netdev": f"user,id=line,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:{PORT}",
    }
    devices = [
        f"guest-loader,addr={_KERNEL_AT},kernel={image.kernel},bootargs={kernel.strip()}",
        f"guest-loader,addr={_BOOT_AT},initrd={parts.boot}",
        "virtio-net-device,netdev=line",
        # the last one is found first
        *(f"virtio-blk-device,drive=disk{number}" for number in reversed(range(len(disks)))),
    ]
    drives = [f"if=none,id=disk{number},file={disk},format=raw,readonly=on" for number, disk in enumerate(disks)]
    pairs = [*words.items(), *(("-drive", drive) for drive in drives), *(("-device", device) for device in devices)]
    if memory:
        pairs += _memory_words(memory, options.memory)
    if monitor is not None:
        pairs += [("-chardev", f"socket,id=monitor,fd={monitor}"), ("-qmp", "chardev:monitor")]
    return ["qemu-system-aarch64", "-nodefaults", "-no-reboot", *(word for pair in pairs for word in pair)]


def _memory_words(memory: Memory, size: int) -> list[tuple[str, str]]:
    how = "off" if memory.state else "on"
    words = [("-object", f"memory-backend-file,id=memory,size={size}M,mem-path={memory.path},share={how}")]
    if memory.state:
        words += [("-incoming", "defer")]
    return words


def _end_with_parent() -> None:
    """In the new process: it ends when the thread that started it does, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(parts: Parts, folder: Path, *, detached: bool, monitor: socket.socket | None = None) -> Machine:
    """Switches a machine on; a detached one outlives this process.

    Args:
        parts: of the machine.
        folder: where it writes what it says.
        detached: whether it outlives this process.
        monitor: QEMU's end of its monitor; to be closed afterwards.
    """
    port = free_port()
    with (folder / "qemu.log").open("wb") as log:
        try:
            process = subprocess.Popen(
                _command(parts, port, folder / CONSOLE, monitor.fileno() if monitor else None),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[monitor.fileno()] if monitor else (),
                start_new_session=True,
                preexec_fn=None if detached else _end_with_parent,  # noqa: PLW1509 - one system call
            )
        except FileNotFoundError:
            raise TestbedError("qemu-system-aarch64 is not installed: packaging/install-packages testbed") from None
    process.returncode = 0  # it is known by its number from here on, and this object need not warn that it lives
    return Machine(process.pid, port)


def is_running(pid: int) -> bool:
    """Says whether the process is a QEMU that has not ended."""
    with contextlib.suppress(ChildProcessError):  # another process may have started it
        os.waitpid(pid, os.WNOHANG)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"qemu-system-aarch64")


def wait_ended(pid: int, timeout: float) -> bool:
    """Waits until the machine is off; false when it is still on."""
    deadline = time.monotonic() + timeout
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill(pid: int) -> None:
    """Ends the machine at once."""
    if is_running(pid):
        os.kill(pid, signal.SIGKILL)
        wait_ended(pid, 10)
