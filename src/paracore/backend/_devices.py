# SPDX-License-Identifier: Apache-2.0
"""Devices of the configuration, made in the warm parent: what every worker inherits by fork."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from paracore._errors import ConfigError
from paracore.backend._books import Device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paracore.drivers import Driver

__all__ = ["describe", "load"]

_MODULE = re.compile(r"[a-z][a-z0-9_]*\Z")


def load(name: str, driver: str, options: Mapping[str, Any], job_deadline: float = 0.0) -> Device:
    """Makes one device: ``paracore.drivers.<driver>.make(name, **options)``.

    Raises:
        ConfigError: there is no such driver, it does not take these options, or its device is not there.
    """
    option = f"device.{name}"
    module = _module(driver, option)
    try:
        made: Driver = module.make(name, **options)
    except TypeError as error:
        raise ConfigError(f"{option}.options", f"the driver {driver} does not take them: {error}") from error
    return Device(name, driver, made, tuple(made.capabilities()), job_deadline)


def _module(driver: str, option: str) -> Any:
    if not _MODULE.match(driver):
        raise ConfigError(f"{option}.driver", f"{driver!r} is no driver's name")
    try:
        return importlib.import_module(f"paracore.drivers.{driver}")
    except ImportError as error:
        raise ConfigError(f"{option}.driver", f"the driver {driver} cannot be loaded: {error}") from error


def describe(device: Device) -> dict[str, Any]:
    """A device for the status: its codecs with the words of the wire."""
    return {
        "name": device.name,
        "driver": device.driver_name,
        "time": "processor" if device.driver.is_processor else "jobs",
        "carries": device.driver.carries,
        "kernel_devices": list(device.driver.kernel_devices),
        "codecs": [
            {
                "codec": can.codec.name.lower(),
                "direction": can.direction.name.lower(),
                "flags": [flag.name.lower() for flag in type(can.flags) if flag in can.flags and flag.name],
                "width_max": can.width_max,
                "height_max": can.height_max,
                "pixel_formats": _names(can.pixel_formats, "PixelFormat"),
                "controls": _names(can.controls, "Control"),
            }
            for can in device.capabilities
        ],
    }


def _names(bits: int, enumeration: str) -> list[str]:
    from paracore.classes import video  # noqa: PLC0415 - loaded long before

    return [member.name.lower() for member in getattr(video, enumeration) if bits >> member & 1]
