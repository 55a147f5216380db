# SPDX-License-Identifier: Apache-2.0
"""What every hypervisor has to do, the fake one and the real: ``check_hypervisor(domains)``.

A third of it is hostile: references and ports that are nobody's, another's, or no longer there. Each has to
end in ``GrantError`` or ``EventChannelError`` at the one who uses it, and in nothing anywhere else.

Each check gives back all that it took, which is counted, and asks for no more than a fresh system grants.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paracore._errors import EventChannelError, GrantError
from paracore.protocol import MESSAGE_MAX, PAGE_SIZE, REQUEST, Role, format_page, mapping_size, message
from paracore.testing._hypervisor_sides import rung
from paracore.transport.local._pages import LocalPages
from paracore.transport.xen import CONTROL_RING_ORDER, ControlRing, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paracore.testing._hypervisor_sides import Domains
    from paracore.transport import Mapping
    from paracore.transport.xen import EventChannel

__all__ = ["HYPERVISOR_CHECKS", "check_hypervisor"]

_SOON: Final = 10.0
_QUIET: Final = 0.05
"""How long nothing must happen for nothing to have happened."""
_MANY: Final = 512
"""Pages: half of what gntalloc grants by default."""
_NOBODYS: Final = 30000
"""A reference, and a port, that a fresh guest has not come to."""

_pages: Final = LocalPages()


def _require(fact: object, what: str) -> None:
    if not fact:
        raise AssertionError(f"it is required that {what}")


@contextmanager
def _refused(kind: type[Exception], what: str) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"it is required that {what} is refused")


@contextmanager
def _granted(domains: Domains, length: int, *, read_only: bool = False) -> Iterator[tuple[int, Sequence[int]]]:
    """Pages of the guest's, taken back at the end."""
    number, references = domains.guest.allocate(domains.domain, length, read_only)
    try:
        yield number, references
    finally:
        domains.guest.revoke(number)


@contextmanager
def _mapped(domains: Domains, references: Sequence[int], *, read_only: bool = False) -> Iterator[Mapping]:
    """The backend's mapping of a guest's pages."""
    descriptor = domains.backend.map(domains.guest.domain, references, read_only=read_only)
    try:
        mapping = _pages.map(descriptor, len(references) * PAGE_SIZE, read_only=read_only)
        try:
            yield mapping
        finally:
            mapping.close()
    finally:
        domains.backend.unmap(descriptor)


def _octets(mapping: Mapping, place: int, length: int) -> bytes:
    with mapping.view() as view:
        return bytes(view[place : place + length])


def _put(mapping: Mapping, place: int, octets: bytes) -> None:
    with mapping.view() as view:
        view[place : place + len(octets)] = octets


# --- pages --------------------------------------------------------------------------------------------


def check_pages_are_shared_and_zeroed(domains: Domains) -> None:
    """What one side writes the other sees, both ways; there was nothing in them before."""
    with _granted(domains, 2 * PAGE_SIZE) as (grant, references), _mapped(domains, references) as mapping:
        _require(len(references) == 2 and 0 not in references, "each page has a reference")
        _require(not any(_octets(mapping, 0, mapping.length)), "fresh pages are zeros")
        domains.guest.write(grant, PAGE_SIZE - 4, b"from the guest")
        _require(_octets(mapping, PAGE_SIZE - 4, 14) == b"from the guest", "the backend sees what the guest writes")
        _put(mapping, PAGE_SIZE + 100, b"from the backend")
        _require(domains.guest.read(grant, PAGE_SIZE + 100, 16) == b"from the backend", "and the reverse")


def check_many_pages_keep_their_order(domains: Domains) -> None:
    """The octets of a large allocation lie as the guest has them."""
    with _granted(domains, _MANY * PAGE_SIZE) as (grant, references):
        _require(len(set(references)) == _MANY, "no two pages have the same reference")
        domains.guest.number(grant)
        with _mapped(domains, references) as mapping:
            seen = [int.from_bytes(_octets(mapping, page * PAGE_SIZE, 4), "little") for page in range(_MANY)]
    _require(seen == list(range(_MANY)), "pages are mapped in the order of their references")


def check_a_part_can_be_mapped(domains: Domains) -> None:
    """The first references of an allocation are a mapping as well, and two mappings do not mind each other."""
    with (
        _granted(domains, 4 * PAGE_SIZE) as (grant, references),
        _mapped(domains, references) as whole,
        _mapped(domains, references[:3]) as part,
    ):
        domains.guest.write(grant, 2 * PAGE_SIZE, b"third")
        _require(_octets(whole, 2 * PAGE_SIZE, 5) == b"third" == _octets(part, 2 * PAGE_SIZE, 5), "both see it")


def check_a_length_that_cannot_be(domains: Domains) -> None:
    """Pages are granted whole, at least one; nothing is no mapping."""
    for length in (0, 1, PAGE_SIZE + 1, -PAGE_SIZE):
        with _refused(GrantError, f"a grant of {length} octets"):
            domains.guest.allocate(domains.domain, length, False)  # noqa: FBT003
    with _refused(GrantError, "a mapping of nothing"):
        domains.backend.map(domains.guest.domain, ())


def check_what_is_granted_for_reading_is_only_read(domains: Domains) -> None:
    """The backend reads such pages, and cannot map them for writing; the guest writes them."""
    with _granted(domains, PAGE_SIZE, read_only=True) as (grant, references):
        domains.guest.write(grant, 0, b"read me")
        with _mapped(domains, references, read_only=True) as mapping:
            _require(_octets(mapping, 0, 7) == b"read me", "it can be read")
        with _refused(GrantError, "a writable mapping of pages granted for reading"), _mapped(domains, references):
            pass


def check_a_descriptor_for_reading_is_no_more(domains: Domains) -> None:
    """Whoever is handed one cannot write, neither by mmap nor by mprotect, though the guest would let it."""
    with _granted(domains, PAGE_SIZE) as (_, references):
        descriptor = domains.backend.map(domains.guest.domain, references, read_only=True)
        try:
            with _refused(GrantError, "a writable mapping of a descriptor for reading"):
                _pages.map(descriptor, PAGE_SIZE, read_only=False)
            mapping = _pages.map(descriptor, PAGE_SIZE, read_only=True)
            access = mmap.PROT_READ | mmap.PROT_WRITE
            libc = ctypes.CDLL(None, use_errno=True)
            done = libc.mprotect(ctypes.c_void_p(mapping.address), ctypes.c_size_t(PAGE_SIZE), access)
            mapping.close()
            _require(done == -1 and ctypes.get_errno() == errno.EACCES, "mprotect makes no more of it")
        finally:
            domains.backend.unmap(descriptor)


# --- references of a hostile guest ------------------------------------------------------------------------


def check_a_reference_that_is_nobodys(domains: Domains) -> None:
    """It is refused, alone and among good ones; the good ones stay good."""
    with _granted(domains, 2 * PAGE_SIZE) as (_, references):
        for wrong in ((_NOBODYS,), (0xFFFF_FFFF,), (references[0], _NOBODYS)):
            with _refused(GrantError, f"the references {wrong}"), _mapped(domains, wrong):
                pass
        with _mapped(domains, references):
            pass


def check_a_reference_of_another_domain(domains: Domains) -> None:
    """What a stranger has granted is not mapped as this guest's."""
    number, references = domains.stranger.allocate(domains.domain, PAGE_SIZE, False)  # noqa: FBT003
    try:
        with suppress(GrantError), _mapped(domains, references) as mapping:  # the guest may have that number too
            domains.stranger.write(number, 0, b"secret")
            _require(_octets(mapping, 0, 6) != b"secret", "one guest's reference is not another's page")
    finally:
        domains.stranger.revoke(number)


def check_pages_granted_to_another_domain(domains: Domains) -> None:
    """What this guest has granted to the stranger the backend cannot map."""
    number, references = domains.guest.allocate(domains.stranger.domain, PAGE_SIZE, False)  # noqa: FBT003
    try:
        with _refused(GrantError, "a page granted to another domain"), _mapped(domains, references):
            pass
    finally:
        domains.guest.revoke(number)


def check_what_was_taken_back_is_not_mapped(domains: Domains) -> None:
    """A reference ends with its grant."""
    with _granted(domains, PAGE_SIZE) as (grant, references):
        domains.guest.write(grant, 0, b"gone")
    with suppress(GrantError), _mapped(domains, references) as mapping:
        _require(_octets(mapping, 0, 4) != b"gone", "pages that were taken back are not mapped")


def check_taken_back_while_mapped(domains: Domains) -> None:
    """The mapping stays what it was, and the pages are given to nobody else meanwhile."""
    with _granted(domains, PAGE_SIZE) as (grant, references):
        domains.guest.write(grant, 0, b"old")
        descriptor = domains.backend.map(domains.guest.domain, references)
        mapping = _pages.map(descriptor, PAGE_SIZE, read_only=False)
    try:
        for _ in range(8):
            with _granted(domains, PAGE_SIZE) as (grant, _):
                domains.guest.write(grant, 0, b"new")
                _put(mapping, 8, b"mine")
                _require(not any(domains.guest.read(grant, 8, 4)), "the pages are given to nobody else")
        _require(_octets(mapping, 0, 3) == b"old", "what is mapped stays")
    finally:
        mapping.close()
        domains.backend.unmap(descriptor)


def check_directories(domains: Domains) -> None:
    """Long and short ones are read as written; one that is none, or of another length, is refused."""
    for count in (1, 1023, 1024, 2500):
        references = list(range(50000, 50000 + count))
        number, reference = domains.guest.directory(domains.domain, references)
        try:
            _require(
                read_directory(domains.backend, domains.guest.domain, reference, count) == references,
                f"a directory of {count} is read as written",
            )
            with _refused(GrantError, "a directory that ends too early"):
                read_directory(domains.backend, domains.guest.domain, reference, count + 1024)
        finally:
            domains.guest.forget(number)
    with _refused(GrantError, "a directory that is none"):
        read_directory(domains.backend, domains.guest.domain, _NOBODYS, 1)


def check_a_directory_that_goes_in_circles(domains: Domains) -> None:
    """Only as much of it is read as was asked for."""
    with _granted(domains, PAGE_SIZE) as (grant, references):
        page = b"".join(word.to_bytes(4, "little") for word in (references[0], *range(9, 9 + 1023)))
        domains.guest.write(grant, 0, page)
        with _refused(GrantError, "a directory that goes on"):
            read_directory(domains.backend, domains.guest.domain, references[0], 1023)


# --- event channels -----------------------------------------------------------------------------------------


def check_notifications_go_both_ways(domains: Domains) -> None:
    """A ring is heard at the other end, once it is let in the next is too, and silence is silence."""
    number, port = domains.guest.offer(domains.domain)
    with domains.backend.interdomain(domains.guest.domain, port) as channel:
        for _ in range(3):
            domains.guest.notify(number)
            _require(rung(channel, _SOON), "the backend hears the guest")
            channel.notify()
            _require(domains.guest.rung(number, _SOON), "the guest hears the backend")
        _require(_rings(channel) <= 1, "nobody rings: nothing is heard")  # but that a binder may be told to look once
    domains.guest.withdraw(number)


def check_a_flood_is_one_ring(domains: Domains) -> None:
    """However often it is rung, one look is enough; and the next ring is heard."""
    number, port = domains.guest.offer(domains.domain)
    with domains.backend.interdomain(domains.guest.domain, port) as channel:
        domains.guest.notify(number, 500)
        heard = _rings(channel)
        _require(1 <= heard <= 3, f"a flood of rings is heard {heard} times")
        domains.guest.notify(number)
        _require(rung(channel, _SOON), "the ring after a flood is heard")
    domains.guest.withdraw(number)


def check_a_ring_before_it_is_bound(domains: Domains) -> None:
    """It is heard by whoever binds."""
    number, port = domains.guest.offer(domains.domain)
    domains.guest.notify(number)
    with domains.backend.interdomain(domains.guest.domain, port) as channel:
        _require(rung(channel, _SOON), "what was rung before is heard")
    domains.guest.withdraw(number)


def check_a_port_that_is_not_offered(domains: Domains) -> None:
    """Nobody's, one that is bound already, one taken back, one offered to another domain."""
    for wrong in (_NOBODYS, 0xFFFF_FFFF):
        _not_bound(domains, wrong, "a port that is nobody's")
    number, port = domains.guest.offer(domains.domain)
    with domains.backend.interdomain(domains.guest.domain, port):
        _not_bound(domains, port, "a port that is bound")
    domains.guest.withdraw(number)
    _not_bound(domains, port, "a port that was taken back")
    try:
        number, port = domains.guest.offer(domains.stranger.domain)
    except EventChannelError:  # two guests may not have a channel at all: XSM's silo mode
        return
    _not_bound(domains, port, "a port offered to another")
    domains.guest.withdraw(number)


def check_the_other_end_has_gone(domains: Domains) -> None:
    """To notify it is no error, at either end."""
    number, port = domains.guest.offer(domains.domain)
    domains.backend.interdomain(domains.guest.domain, port).close()
    domains.guest.notify(number)
    domains.guest.withdraw(number)
    number, port = domains.guest.offer(domains.domain)
    with domains.backend.interdomain(domains.guest.domain, port) as channel:
        domains.guest.withdraw(number)
        channel.notify()
        channel.drain()


def _rings(channel: EventChannel) -> int:
    """How often it is rung until there is silence."""
    count = 0
    while rung(channel, _QUIET):
        count += 1
    return count


def _not_bound(domains: Domains, port: int, what: str) -> None:
    with _refused(EventChannelError, what):
        domains.backend.interdomain(domains.guest.domain, port).close()


# --- the control ring ---------------------------------------------------------------------------------------


def check_the_control_ring(domains: Domains) -> None:
    """A message that the guest's pages hold is received by the supervisor's end, which was rung; one that it
    answers lies in the guest's pages, which is rung.
    """
    size = mapping_size(CONTROL_RING_ORDER)
    number, port = domains.guest.offer(domains.domain)
    with _granted(domains, size) as (grant, references):
        page = bytearray(size)
        format_page(page, CONTROL_RING_ORDER)
        domains.guest.write(grant, 0, bytes(page[:PAGE_SIZE]))
        channel = domains.backend.interdomain(domains.guest.domain, port)
        descriptor = domains.backend.map(domains.guest.domain, references)
        mapping = _pages.map(descriptor, size, read_only=False)
        ring = ControlRing(mapping, CONTROL_RING_ORDER, Role.BACKEND, channel)
        try:
            _require(ring.receive() == [], "nothing is there yet")
            said = message(0x7201, REQUEST, 1, 1, bytes(MESSAGE_MAX - 16))
            domains.guest.write(grant, PAGE_SIZE, said)
            domains.guest.write(grant, 64, len(said).to_bytes(4, "little"))  # out_prod
            domains.guest.notify(number)
            _require(rung(channel, _SOON) and ring.receive() == [said], "the message arrives")
            ring.send(said)
            _require(domains.guest.rung(number, _SOON), "the guest is rung")
            _require(domains.guest.read(grant, 3 * PAGE_SIZE, len(said)) == said, "the answer is there")
        finally:
            ring.close()
            domains.backend.unmap(descriptor)
    domains.guest.withdraw(number)


# --- all of them --------------------------------------------------------------------------------------------

HYPERVISOR_CHECKS: Final[tuple[Callable[[Domains], None], ...]] = tuple(
    check for name, check in list(globals().items()) if name.startswith("check_")
)
"""Each takes the domains, raises AssertionError, and leaves nothing behind."""


def check_hypervisor(domains: Domains, *checks: Callable[[Domains], None]) -> None:
    """Runs the checks, all of them when none is named, and counts what is left after each.

    Raises:
        AssertionError: the hypervisor does not do what it has to.
    """
    for check in checks or HYPERVISOR_CHECKS:
        before = _held(domains)
        check(domains)
        after = _held(domains)
        _require(after == before, f"{check.__name__} gives back what it took: {before}, then {after}")


def _held(domains: Domains) -> tuple[int, int, int, int]:
    """Pages and ports of each side, and this process's descriptors."""
    now = domains.backend.statistics()
    backend = now.mapped - now.unmapped + now.bound - now.unbound
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return backend, domains.guest.held(), domains.stranger.held(), descriptors
