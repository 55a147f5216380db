# SPDX-License-Identifier: Apache-2.0
"""The Python API of a domain: devices, decoders, encoders, and pictures in the domain's own pages.

What users import is re-exported by ``paracore`` and ``paracore.aio``. What is named here is loaded when it is
first used: the frontend daemon of a Xen guest needs no NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paracore.frontend._capability import Capability
    from paracore.frontend._channel import Statistics, default_address
    from paracore.frontend._daemon import FrontendSettings, serve_frontend
    from paracore.frontend._decoder import Decoder
    from paracore.frontend._device import Device
    from paracore.frontend._domain import Domain, open  # noqa: A004 - read as paracore.open
    from paracore.frontend._encoder import Encoder
    from paracore.frontend._packet import EncodedPacket, Packet
    from paracore.frontend._picture import Color, Format, Picture, WritablePicture
    from paracore.frontend._settings import EncoderSettings
    from paracore.frontend._status import backend_status, configure_backend

__all__ = [
    "Capability",
    "Color",
    "Decoder",
    "Device",
    "Domain",
    "EncodedPacket",
    "Encoder",
    "EncoderSettings",
    "Format",
    "FrontendSettings",
    "Packet",
    "Picture",
    "Statistics",
    "WritablePicture",
    "backend_status",
    "configure_backend",
    "default_address",
    "open",
    "serve_frontend",
]

_HOMES = {
    "Capability": "_capability",
    "Color": "_picture",
    "Decoder": "_decoder",
    "Device": "_device",
    "Domain": "_domain",
    "EncodedPacket": "_packet",
    "Encoder": "_encoder",
    "EncoderSettings": "_settings",
    "Format": "_picture",
    "FrontendSettings": "_daemon._settings",
    "Packet": "_packet",
    "Picture": "_picture",
    "Statistics": "_channel",
    "WritablePicture": "_picture",
    "backend_status": "_status",
    "configure_backend": "_status",
    "default_address": "_channel",
    "open": "_domain",
    "serve_frontend": "_daemon._serve",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
