# SPDX-License-Identifier: Apache-2.0
"""Paravirtual coprocessors: isolated domains use the host's video codec.

A domain's program::

    import paracore
    from paracore.media import demux

    with paracore.open() as domain, demux("clip.mp4") as stream:
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            for picture in decoder.decode(stream):
                luma, *chroma = picture.planes  # NumPy views of this process's own memory

``paracore.aio`` is the same for asyncio, ``paracore.media`` reads and writes files. Importing this package
loads next to nothing: what is named here is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paracore._errors import (
    ConfigError,
    DeviceLost,
    DeviceTimeout,
    DriverError,
    Error,
    EventChannelError,
    GrantError,
    LimitExceeded,
    LocalProtocolError,
    MediaError,
    MessageError,
    OutOfDeviceMemory,
    PermissionRefused,
    ProtocolError,
    QuotaExceeded,
    RemoteProtocolError,
    StateError,
    TransportBroken,
    TransportClosed,
    TransportError,
    VersionError,
    XenStoreError,
)

if TYPE_CHECKING:
    from paracore.frontend import (
        Capability,
        Color,
        Decoder,
        Device,
        Domain,
        EncodedPacket,
        Encoder,
        EncoderSettings,
        Format,
        Packet,
        Picture,
        Statistics,
        WritablePicture,
        open,  # noqa: A004 - read as paracore.open
    )

__version__ = "0.1.0"

__all__ = [
    "Capability",
    "Color",
    "ConfigError",
    "Decoder",
    "Device",
    "DeviceLost",
    "DeviceTimeout",
    "Domain",
    "DriverError",
    "EncodedPacket",
    "Encoder",
    "EncoderSettings",
    "Error",
    "EventChannelError",
    "Format",
    "GrantError",
    "LimitExceeded",
    "LocalProtocolError",
    "MediaError",
    "MessageError",
    "OutOfDeviceMemory",
    "Packet",
    "PermissionRefused",
    "Picture",
    "ProtocolError",
    "QuotaExceeded",
    "RemoteProtocolError",
    "StateError",
    "Statistics",
    "TransportBroken",
    "TransportClosed",
    "TransportError",
    "VersionError",
    "WritablePicture",
    "XenStoreError",
    "__version__",
    "open",
]

#: Names of the frontend, which needs NumPy and the native library.
_LAZY = frozenset(
    {
        "Capability",
        "Color",
        "Decoder",
        "Device",
        "Domain",
        "EncodedPacket",
        "Encoder",
        "EncoderSettings",
        "Format",
        "Packet",
        "Picture",
        "Statistics",
        "WritablePicture",
        "open",
    }
)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module("paracore.frontend"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
