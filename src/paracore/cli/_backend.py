# SPDX-License-Identifier: Apache-2.0
"""The backend a subcommand works with: the one that runs, or one of its own."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import paracore
from paracore.cli._exit import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from paracore.cli._recording import ProgramTrace

__all__ = ["choose_device", "connect", "nobody_there"]

_NOBODY = (FileNotFoundError, ConnectionRefusedError)


def nobody_there(error: paracore.TransportError) -> bool:
    """Whether it says that no backend runs, rather than that one is in trouble."""
    return isinstance(error.__cause__, _NOBODY)


@contextmanager
def connect(arguments: argparse.Namespace, *, private_if_none: bool = True) -> Iterator[paracore.Domain]:
    """A channel to the backend that was named, that runs, or that is started for this command alone."""
    with ExitStack() as stack:
        output = getattr(arguments, "trace", None)  # of commands with sessions
        trace = stack.enter_context(_recording(output)) if output else None
        address, domain = _open(arguments, stack, private_if_none=private_if_none)
        if trace:
            trace.follow(address, list(domain.devices))
        yield domain


def _open(arguments: argparse.Namespace, stack: ExitStack, *, private_if_none: bool) -> tuple[str, paracore.Domain]:
    from paracore.frontend import default_address  # noqa: PLC0415 - needs the native library

    on_loss: Any = getattr(arguments, "on_loss", "recover")  # of commands with sessions
    if not arguments.private:
        address = str(arguments.address or default_address())
        try:
            return address, stack.enter_context(paracore.open(address, on_loss=on_loss))
        except paracore.TransportError as error:
            named = arguments.address or os.environ.get("PARACORE_SOCKET")
            if named or not private_if_none or not nobody_there(error):
                raise
    from paracore.backend import PrivateBackend  # noqa: PLC0415 - not needed when one runs

    address = stack.enter_context(PrivateBackend()).address
    return address, stack.enter_context(paracore.open(address, on_loss=on_loss))


@contextmanager
def _recording(output: str) -> Iterator[ProgramTrace]:
    """A trace of this program itself, whose library looks for the folder when the first channel is opened."""
    from paracore.cli._recording import recording  # noqa: PLC0415 - seldom needed

    with recording(output) as trace:
        os.environ.update(trace.variables)
        yield trace


def choose_device(domain: paracore.Domain, codec: str, direction: str, name: str | None) -> paracore.Device:
    """The device that was named, or the first that can do it.

    Raises:
        UsageError: there is no device of that name.
        MediaError: no device can do it.
    """
    devices = domain.devices
    if name is not None:
        if name not in devices:
            raise UsageError(f"there is no device {name}; this domain has {', '.join(devices) or 'none'}")
        return devices[name]
    for device in devices.values():
        if any((each.codec, each.direction) == (codec, direction) for each in device.capabilities):
            return device
    able = {each.codec for device in devices.values() for each in device.capabilities if each.direction == direction}
    raise paracore.MediaError(
        f"no device of this backend can {direction} {codec}; they can {direction} {', '.join(sorted(able)) or 'nothing'}"
    )
