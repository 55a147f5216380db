# SPDX-License-Identifier: Apache-2.0
"""The domains of this machine, by number, name or UUID, as xenstore has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError

if TYPE_CHECKING:
    from paracore.transport.xen import Xenstore

__all__ = ["XenDomain", "domains", "find_domain"]


class XenDomain(NamedTuple):
    """One domain."""

    number: int
    name: str
    uuid: str
    """Empty where the toolstack keeps none, as for domain 0."""

    def __str__(self) -> str:
        return f"domain {self.number} ({self.name})" if self.name else f"domain {self.number}"


async def domains(store: Xenstore) -> list[XenDomain]:
    """All of them, in the order of their numbers."""
    numbers = sorted(int(each) for each in await store.list("/local/domain") if each.isdecimal())
    return [await _domain(store, number) for number in numbers]


async def find_domain(store: Xenstore, text: str) -> XenDomain:
    """The one that is called so; a number is a number before it is a name.

    Raises:
        ConfigError: there is none, or there are several of that name.
    """
    there = await domains(store)
    for key in (lambda each: str(each.number), lambda each: each.uuid, lambda each: each.name):
        found = [each for each in there if key(each) == text.strip()]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError("domain", f"several are called {text!r}; give one of the numbers {_numbers(found)}")
    known = ", ".join(f"{each.number} {each.name}".strip() for each in there)
    raise ConfigError("domain", f"there is no {text!r}; there are {known or 'none'} (xl list)")


async def _domain(store: Xenstore, number: int) -> XenDomain:
    path = f"/local/domain/{number}"
    machine = await store.read(f"{path}/vm") or ""
    return XenDomain(number, await store.read(f"{path}/name") or "", machine.removeprefix("/vm/"))


def _numbers(found: list[XenDomain]) -> str:
    return ", ".join(str(each.number) for each in found)
