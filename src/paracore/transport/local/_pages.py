# SPDX-License-Identifier: Apache-2.0
"""Pages of the local transport: sealed memfds; doorbells: eventfds. It also maps what a grant device holds.

A memfd's size is sealed before anybody sees it, so that no peer can make the other fault by cutting it
short. A read-only grant reaches the worker as a descriptor opened for reading only, which neither mmap
nor mprotect can turn into a writable mapping.

The mapping goes through libc and not through ``mmap.mmap``, which keeps a duplicate of the descriptor:
the worker's filter refuses to duplicate any.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os

from paracore._errors import EventChannelError, GrantError
from paracore.transport._transport import Mapping, Pages

__all__ = ["LocalMapping", "LocalPages"]

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_mmap = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_munmap = _libc.munmap
_munmap.restype = ctypes.c_int
_munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


class LocalMapping(Mapping):
    """Pages of a memfd, mapped here."""

    def __init__(self, descriptor: int, length: int, *, read_only: bool) -> None:
        access = mmap.PROT_READ if read_only else mmap.PROT_READ | mmap.PROT_WRITE
        # SAFETY: the supervisor sealed the size, so no access within `length` can fault, whoever
        # rewrites the octets meanwhile.
        address = _mmap(None, length, access, mmap.MAP_SHARED, descriptor, 0)
        if address == _FAILED:
            raise _grant_error(ctypes.get_errno(), "mapped")
        self.address: int = address
        self.length = length
        self.read_only = read_only

    def view(self) -> memoryview:
        view = memoryview((ctypes.c_ubyte * self.length).from_address(self.address)).cast("B")
        return view.toreadonly() if self.read_only else view

    def close(self) -> None:
        if self.address:
            _munmap(self.address, self.length)
            self.address = 0


class LocalPages(Pages):
    """See ``Pages``."""

    def allocate(self, length: int) -> int:
        try:
            descriptor = os.memfd_create("paracore", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError as error:
            raise _grant_error(error.errno, "allocated") from error
        try:
            os.ftruncate(descriptor, length)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError as error:
            os.close(descriptor)
            raise _grant_error(error.errno, "allocated") from error
        return descriptor

    def duplicate(self, descriptor: int, *, read_only: bool) -> int:
        try:
            if not read_only:
                return os.dup(descriptor)
            return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _grant_error(error.errno, "passed on") from error

    def doorbell(self) -> int:
        try:
            return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError as error:
            raise EventChannelError(error.errno, "no doorbell could be made") from error

    def map(self, descriptor: int, length: int, *, read_only: bool) -> Mapping:
        if _shorter(descriptor, length):
            raise GrantError(errno.EINVAL, "the pages end before that")
        return LocalMapping(descriptor, length, read_only=read_only)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)


def _shorter(descriptor: int, length: int) -> bool:
    """Not fstat: the worker's filter knows no file names. A grant device cannot seek; its mmap counts the pages."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_END) < length
    except OSError as error:
        if error.errno == errno.ESPIPE:
            return False
        raise


def _grant_error(code: int | None, what: str) -> GrantError:
    return GrantError(code or errno.ENOMEM, f"pages could not be {what}: {os.strerror(code or errno.ENOMEM)}")
