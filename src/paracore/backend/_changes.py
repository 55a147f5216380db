# SPDX-License-Identifier: Apache-2.0
"""Changes to the configuration of a running backend: what an administrator may say, checked before any of it is done.

Trusts the administrator, as the configuration does. What is changed so lives as long as the backend does: the file is
not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from paracore._errors import ConfigError
from paracore.backend._config import DeviceSection, DomainSection, check_device, check_rights, explained

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Changes", "changed_devices", "changed_domains", "changes_parse"]

_S = TypeVar("_S")


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one device or domain: those that were left out stay as they are."""

    def given(self) -> dict[str, Any]:
        """Those that are there."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class DeviceChange(_Change, frozen=True):
    """See ``DeviceSection`` for each."""

    policy: str | None = None
    slots: int | None = None
    pixel_rate: int | None = None


class DomainChange(_Change, frozen=True):
    """See ``DomainSection`` and ``Limits`` for each."""

    weight: int | None = None
    priority: int | None = None
    device_time: float | None = None
    device_burst: float | None = None
    pictures_per_second: float | None = None
    pictures_burst: float | None = None
    macroblocks_per_second: float | None = None
    macroblocks_burst: float | None = None
    pixel_rate: int | None = None


class Changes(_Change, frozen=True):
    """All that is to be changed at once."""

    device: dict[str, DeviceChange] = {}
    domain: dict[str, DomainChange] = {}


def changes_parse(octets: bytes) -> Changes:
    """Changes from their JSON.

    Raises:
        ConfigError: names the setting and what to do about it.
    """
    try:
        return msgspec.json.decode(octets, type=Changes)
    except msgspec.ValidationError as error:
        raise ConfigError(*explained(error)) from error
    except msgspec.DecodeError as error:
        raise ConfigError("changes", f"are no JSON: {error}") from error


def changed_devices(changes: Changes, sections: Iterable[DeviceSection]) -> dict[str, DeviceSection]:
    """The sections that are new, by name.

    Raises:
        ConfigError: there is no such device, or it cannot be so.
    """
    found = _found("device", changes.device, {section.name: section for section in sections})
    new = {name: msgspec.structs.replace(found[name], **change.given()) for name, change in changes.device.items()}
    for section in new.values():
        check_device(section)
    return new


def changed_domains(changes: Changes, sections: Iterable[DomainSection]) -> dict[str, DomainSection]:
    """The sections that are new, by name.

    Raises:
        ConfigError: there is no such domain, or it cannot be so.
    """
    found = _found("domain", changes.domain, {section.name: section for section in sections})
    new = {name: _domain(found[name], change.given()) for name, change in changes.domain.items()}
    for section in new.values():
        check_rights(section)
    return new


def _domain(section: DomainSection, given: dict[str, Any]) -> DomainSection:
    of_limits = {name: given.pop(name) for name in list(given) if name in section.limits.__struct_fields__}
    return msgspec.structs.replace(section, limits=msgspec.structs.replace(section.limits, **of_limits), **given)


def _found(kind: str, wanted: Iterable[str], there: dict[str, _S]) -> dict[str, _S]:
    for name in wanted:
        if name not in there:
            raise ConfigError(f"{kind}.{name}", f"there is none; there are: {', '.join(sorted(there)) or 'none'}")
    return there
