# SPDX-License-Identifier: Apache-2.0
"""The hypervisor as Linux offers it to programs: /dev/xen/gntalloc, gntdev and evtchn, by ioctl.

Rules:

* One fresh gntalloc descriptor per allocation and one fresh gntdev descriptor per mapping: whatever they
  hold begins at offset 0, so that they can be handed on as memfds are.
* A descriptor that is to be mapped for reading only is opened for reading only: neither mmap nor mprotect
  makes more of it, whatever the guest has granted.
* A descriptor of an event channel has one port. A backend's is restricted to the guest before it is bound.
* No library of Xen's is needed. Numbers and structures are those of the kernel's <xen/gntalloc.h>,
  <xen/gntdev.h> and <xen/evtchn.h>.

gntdev maps in mmap, not in its ioctl: a reference that does not exist fails there, with EINVAL.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final

from paracore._errors import EventChannelError, GrantError
from paracore.protocol import PAGE_SIZE
from paracore.transport.xen._hypervisor import Allocation, Counts, EventChannel, Hypervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.transport._handover import EventsState

__all__ = ["DEVICES", "XenHypervisor", "adopt_events"]

DEVICES: Final = Path("/dev/xen")

_ALLOC_GREF: Final = 0x0018_4705
_DEALLOC_GREF: Final = 0x0010_4706
_MAP_GRANT_REF: Final = 0x0018_4700
_BIND_INTERDOMAIN: Final = 0x0008_4501
_BIND_UNBOUND_PORT: Final = 0x0004_4502
_NOTIFY: Final = 0x0004_4504
_RESTRICT_DOMID: Final = 0x0002_4506

_ALLOCATION: Final = Struct("<HHIQ")
"""struct ioctl_gntalloc_alloc_gref: domid, flags, count, index; the references follow."""
_DEALLOCATION: Final = Struct("<QI4x")
_MAPPING: Final = Struct("<I4xQ")
"""struct ioctl_gntdev_map_grant_ref: count, index; pairs of domid and reference follow."""
_WORD: Final = Struct("<I")
_PAIR: Final = Struct("<II")
_DOMID: Final = Struct("<H")
_WRITABLE: Final = 1
"""GNTALLOC_FLAG_WRITABLE."""

_LIMITS: Final = {
    "gntalloc": "/sys/module/xen_gntalloc/parameters/limit",
    "gntdev": "/sys/module/xen_gntdev/parameters/limit",
}


class XenHypervisor(Hypervisor):
    """See ``Hypervisor``. `directory` is where the device nodes are."""

    def __init__(self, directory: Path = DEVICES) -> None:
        super().__init__()
        self._directory = directory

    def check_backend(self) -> None:
        """Opens what a backend needs.

        Raises:
            GrantError, EventChannelError: it cannot; the text names the remedy.
        """
        self._check("gntdev")

    def check_frontend(self) -> None:
        """Opens what a guest's frontend needs; raises as ``check_backend``."""
        self._check("gntalloc")

    def _check(self, device: str) -> None:
        os.close(_open(self._directory / device, os.O_RDWR, GrantError))
        os.close(self._event_device())

    def allocate(self, remote: int, length: int, *, read_only: bool = False) -> Allocation:
        if length <= 0 or length % PAGE_SIZE:
            raise GrantError(errno.EINVAL, f"{length} octets are no grant")
        return _DeviceAllocation(self._directory, remote, length, self._counts, read_only=read_only)

    def _map(self, remote: int, references: Sequence[int], *, read_only: bool) -> int:
        descriptor = _open(self._directory / "gntdev", os.O_RDONLY if read_only else os.O_RDWR, GrantError)
        pairs = b"".join(_PAIR.pack(remote, reference) for reference in references)
        try:
            fcntl.ioctl(descriptor, _MAP_GRANT_REF, bytearray(_MAPPING.pack(len(references), 0) + pairs))
        except OSError as error:
            os.close(descriptor)
            raise GrantError(error.errno, _no_mapping(error, remote, len(references))) from error
        return descriptor

    def unbound(self, remote: int) -> EventChannel:
        descriptor = self._event_device()
        return self._bind(descriptor, _BIND_UNBOUND_PORT, _WORD.pack(remote), f"offered to domain {remote}")

    def interdomain(self, remote: int, port: int) -> EventChannel:
        descriptor = self._event_device()
        with suppress(
            OSError
        ):  # Linux before 4.15 cannot, and nobody can to domain 0: then the worker's filter holds it
            fcntl.ioctl(descriptor, _RESTRICT_DOMID, _DOMID.pack(remote))
        what = f"bound to port {port} of domain {remote}"
        return self._bind(descriptor, _BIND_INTERDOMAIN, _PAIR.pack(remote, port), what)

    def adopt_events(self, state: EventsState) -> EventChannel:
        return _DeviceEventChannel(state.descriptor_in, state.port, self._counts)

    def _event_device(self) -> int:
        return _open(self._directory / "evtchn", os.O_RDWR | os.O_NONBLOCK, EventChannelError)

    def _bind(self, descriptor: int, request: int, argument: bytes, what: str) -> EventChannel:
        """The ioctl returns the port."""
        try:
            port = fcntl.ioctl(descriptor, request, bytearray(argument))
        except OSError as error:
            os.close(descriptor)
            raise EventChannelError(error.errno, f"no event channel could be {what}: {error.strerror}") from error
        return _DeviceEventChannel(descriptor, port, self._counts)


class _DeviceAllocation(Allocation):
    def __init__(self, directory: Path, remote: int, length: int, counts: Counts, *, read_only: bool) -> None:
        pages = length // PAGE_SIZE
        argument = bytearray(_ALLOCATION.pack(remote, 0 if read_only else _WRITABLE, pages, 0))
        argument += bytes(4 * max(pages, 2))
        self.length = length
        self.descriptor = _open(directory / "gntalloc", os.O_RDWR, GrantError)
        try:
            fcntl.ioctl(self.descriptor, _ALLOC_GREF, argument)
        except OSError as error:
            os.close(self.descriptor)
            raise GrantError(error.errno, _no_allocation(error, pages)) from error
        self.references = tuple(memoryview(argument)[_ALLOCATION.size :].cast("I")[:pages])
        self._counts = counts
        counts.add(granted=pages)

    def close(self) -> None:
        if self.descriptor < 0:
            return
        with suppress(OSError):  # closing does it as well, unless a process was given the descriptor
            fcntl.ioctl(self.descriptor, _DEALLOC_GREF, _DEALLOCATION.pack(0, len(self.references)))
        os.close(self.descriptor)
        self.descriptor = -1
        self._counts.add(revoked=len(self.references))


class _DeviceEventChannel(EventChannel):
    """One descriptor for both ways. Masked from the time it was rung until its port is written back."""

    def __init__(self, descriptor: int, port: int, counts: Counts) -> None:
        self.descriptor_in = self.descriptor_out = descriptor
        self.port = self.remote_port = port
        self._counts = counts
        counts.add(bound=1)

    def notify(self) -> None:
        try:
            fcntl.ioctl(self.descriptor_out, _NOTIFY, _WORD.pack(self.port))
        except OSError as error:
            raise EventChannelError(error.errno, f"port {self.port} cannot notify: {error.strerror}") from error

    def drain(self) -> None:
        with suppress(BlockingIOError):
            pending = os.read(self.descriptor_in, _WORD.size)
            os.write(self.descriptor_in, pending)

    def close(self) -> None:
        if self.descriptor_in >= 0:
            os.close(self.descriptor_in)
            self.descriptor_in = self.descriptor_out = -1
            self._counts.add(unbound=1)


def adopt_events(descriptor: int, port: int) -> EventChannel:
    """The event channel whose descriptor was handed on; closing it closes the descriptor."""
    return _DeviceEventChannel(descriptor, port, Counts())


# --- what went wrong, and what to do about it -----------------------------------------------------------


def _open(device: Path, flags: int, kind: type[GrantError | EventChannelError]) -> int:
    try:
        return os.open(device, flags | os.O_CLOEXEC)
    except OSError as error:
        raise kind(error.errno, f"{device} cannot be opened: {_remedy(device.name, error)}") from error


def _remedy(name: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f"is this a Xen domain? Then load its module: modprobe xen-{name}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "run as root, or let a udev rule give the device to this user"
    return error.strerror or "unknown"


def _no_allocation(error: OSError, pages: int) -> str:
    what = f"{pages} pages could not be granted"
    if error.errno != errno.ENOSPC:
        return f"{what}: {error.strerror}"
    return (
        f"{what}: the programs of this domain may grant {_limit('gntalloc')} pages in all; raise {_LIMITS['gntalloc']},"
        " and gnttab_max_frames on Xen's command line beyond what one grant table holds"
    )


def _no_mapping(error: OSError, remote: int, pages: int) -> str:
    what = f"{pages} pages of domain {remote} could not be mapped: {error.strerror}"
    if error.errno != errno.EINVAL:
        return what
    return f"{what}; one mapping may have {_limit('gntdev')} pages, see {_LIMITS['gntdev']}"


def _limit(module: str) -> str:
    try:
        return Path(_LIMITS[module]).read_text(encoding="ascii").strip()
    except OSError:
        return "only so many"
