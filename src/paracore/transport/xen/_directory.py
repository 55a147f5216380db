# SPDX-License-Identifier: Apache-2.0
"""Directories: granted pages that name granted pages, because a list of references fits nowhere else.

A directory page holds the reference of the next one (0: this is the last) and then up to 1,023 references,
in order. The guest writes them; the backend maps each, copies it, unmaps it, and only then looks.

The reader trusts nothing: it knows how many references there must be, reads exactly as many pages as those
take, and refuses a directory that ends before or goes on behind them.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from struct import Struct
from typing import TYPE_CHECKING, Final

from paracore._errors import GrantError
from paracore.protocol import PAGE_SIZE
from paracore.transport.local._pages import LocalPages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.transport.xen._hypervisor import Hypervisor

__all__ = ["REFERENCES_PER_PAGE", "Directory", "read_directory", "write_directory"]

REFERENCES_PER_PAGE: Final = PAGE_SIZE // 4 - 1

_PAGE: Final = Struct(f"<{PAGE_SIZE // 4}I")
_pages: Final = LocalPages()


class Directory:
    """A guest's directory, granted for reading until it is closed.

    Attributes:
        reference: of its first page: the one number that is published.
    """

    def __init__(self, reference: int, held: ExitStack) -> None:
        self.reference = reference
        self._held = held

    def close(self) -> None:
        """Takes the directory back; the pages it names are not its business. Idempotent."""
        self._held.close()


def write_directory(hypervisor: Hypervisor, remote: int, references: Sequence[int]) -> Directory:
    """Names pages for domain `remote`. Written from the last page to the first, for each names the next.

    Raises:
        GrantError: as ``Hypervisor.allocate``.
    """
    following = 0
    with ExitStack() as held:
        for start in reversed(range(0, len(references), REFERENCES_PER_PAGE)):
            page = held.enter_context(hypervisor.allocate(remote, PAGE_SIZE, read_only=True))
            _write(page.descriptor, following, references[start : start + REFERENCES_PER_PAGE])
            following = page.references[0]
        return Directory(following, held.pop_all())


def read_directory(hypervisor: Hypervisor, remote: int, reference: int, count: int) -> list[int]:
    """The `count` references of a directory of domain `remote`.

    Raises:
        GrantError: it is none, or one of another length; EINVAL.
    """
    references: list[int] = []
    while len(references) < count:
        page = _read(hypervisor, remote, reference)
        reference = page[0]
        references += page[1 : 1 + min(count - len(references), REFERENCES_PER_PAGE)]
        if (reference == 0) is not (len(references) == count):
            raise GrantError(errno.EINVAL, f"a directory that does not hold {count} references")
    if 0 in references:
        raise GrantError(errno.EINVAL, "a directory with a reference that is none")
    return references


def _write(descriptor: int, following: int, references: Sequence[int]) -> None:
    unused = (0,) * (REFERENCES_PER_PAGE - len(references))
    mapping = _pages.map(descriptor, PAGE_SIZE, read_only=False)
    try:
        with mapping.view() as view:
            _PAGE.pack_into(view, 0, following, *references, *unused)
    finally:
        mapping.close()


def _read(hypervisor: Hypervisor, remote: int, reference: int) -> tuple[int, ...]:
    """One page's words, in private memory. Every page is mapped for as long as it takes to copy it."""
    descriptor = hypervisor.map(remote, (reference,), read_only=True)
    try:
        mapping = _pages.map(descriptor, PAGE_SIZE, read_only=True)
        try:
            # SAFETY: the guest may rewrite the page meanwhile; the copy is all that anybody looks at.
            with mapping.view() as view:
                octets = bytes(view)
        finally:
            mapping.close()
    finally:
        hypervisor.unmap(descriptor)
    return _PAGE.unpack(octets)
