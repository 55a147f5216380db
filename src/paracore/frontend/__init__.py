# SPDX-License-Identifier: Apache-2.0
"""The Python API of a domain: devices, decoders, encoders, and pictures in the domain's own pages.

What users import is re-exported by ``paracore`` and ``paracore.aio``.
"""

from paracore.frontend._capability import Capability
from paracore.frontend._channel import Statistics, default_address
from paracore.frontend._decoder import Decoder
from paracore.frontend._device import Device
from paracore.frontend._domain import Domain, open  # noqa: A004 - read as paracore.open
from paracore.frontend._encoder import Encoder
from paracore.frontend._packet import EncodedPacket, Packet
from paracore.frontend._picture import Color, Format, Picture, WritablePicture
from paracore.frontend._settings import EncoderSettings
from paracore.frontend._status import backend_status

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
    "Packet",
    "Picture",
    "Statistics",
    "WritablePicture",
    "backend_status",
    "default_address",
    "open",
]
