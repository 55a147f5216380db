# SPDX-License-Identifier: Apache-2.0
"""Pictures in the domain's own pages, as NumPy arrays that nobody copied.

A decoded picture's planes are read-only views. Each keeps the pages behind it out of circulation
for as long as it lives, also after ``release()``, after the decoder's end and after the channel's: what
a view shows never changes. To keep pictures for long, copy them, or the decoder runs out of pages.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from paracore._errors import StateError
from paracore.classes import video
from paracore.frontend._geometry import Crop, PlaneGeometry, plane_geometry

if TYPE_CHECKING:
    from typing import Self, TypeAlias

    from paracore.frontend._buffers import Lease

__all__ = ["Color", "Format", "Picture", "Plane", "WritablePicture", "ticks", "wire_ticks"]

Plane: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16]]"

#: The timestamp that stands for none: the least 64-bit number.
_NO_TICKS = -(1 << 63)


def ticks(wire: int) -> int | None:
    """A timestamp from the wire."""
    return None if wire == _NO_TICKS else wire


def wire_ticks(timestamp: int | None) -> int:
    """A timestamp for the wire."""
    return _NO_TICKS if timestamp is None else timestamp


class Color(NamedTuple):
    """How samples become colours: code points of ISO/IEC 23091-2, where 2 is "unspecified"."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0
    """0 unspecified, 1 limited, 2 full."""
    chroma_location: int = 0
    """As H.273 Figure 1 plus one; 0 is unspecified."""


class Format(NamedTuple):
    """What a decoder's pictures look like until the next change."""

    pixel_format: str
    width: int
    height: int
    color: Color
    aspect: Fraction | None
    """Of one sample; None when unknown."""
    rate: Fraction | None
    """Pictures per second; None when unknown."""
    field_order: str
    """``unknown``, ``progressive``, ``top_first`` or ``bottom_first``."""

    @classmethod
    def of_wire(cls, form: video.PictureFormat) -> Format:
        """From the wire's format."""
        return cls(
            form.pixel_format.name.lower(),
            form.width,
            form.height,
            color_of(form),
            _ratio(form.aspect_num, form.aspect_den),
            _ratio(form.rate_num, form.rate_den),
            form.field_order.name.lower(),
        )


def color_of(form: video.PictureFormat) -> Color:
    """The colour description of a format."""
    return Color(form.color_primaries, form.color_transfer, form.color_matrix, form.color_range, form.chroma_location)


def _ratio(numerator: int, denominator: int) -> Fraction | None:
    return Fraction(numerator, denominator) if numerator and denominator else None


class _PlaneMemory:
    """What a NumPy array's ``base`` is: it describes the samples and holds their pages."""

    __slots__ = ("__array_interface__", "_lease")

    def __init__(self, lease: Lease, plane: PlaneGeometry, *, read_only: bool) -> None:
        self._lease = lease
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": plane.shape,
            "strides": plane.strides,
            "typestr": plane.typestr,
            "data": (lease.span.address + plane.offset, read_only),
        }


def _views(lease: Lease, geometry: tuple[PlaneGeometry, ...], *, read_only: bool) -> tuple[Plane, ...]:
    return tuple(np.asarray(_PlaneMemory(lease, plane, read_only=read_only)) for plane in geometry)


class Picture:
    """One decoded picture.

    Attributes:
        width: visible columns.
        height: visible rows.
        timestamp: of the packet it came from, in the packets' unit.
        duration: likewise; 0 when unknown.
    """

    __slots__ = ("_crop", "_flags", "_form", "_lease", "_planes", "_type", "duration", "height", "timestamp", "width")

    def __init__(self, lease: Lease, form: video.PictureFormat, ready: video.OutputReady) -> None:
        self._lease: Lease | None = lease
        self._planes: tuple[Plane, ...] | None = None
        self._form = form
        self._flags = int(ready.flags)
        self._type = ready.picture_type
        self._crop = (ready.crop_left, ready.crop_top)
        self.width = ready.width
        self.height = ready.height
        self.timestamp = ticks(ready.timestamp)
        self.duration = ready.duration

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Read-only views of the visible samples: rows by columns, interleaved chroma with a third axis.

        Raises:
            StateError: the picture has been released.
        """
        if self._planes is None:
            if self._lease is None:
                raise StateError("released", "held")
            geometry = plane_geometry(self._form, Crop(*self._crop, self.width, self.height))
            self._planes = _views(self._lease, geometry, read_only=True)
        return self._planes

    def release(self) -> None:
        """Gives the pages back, as soon as no view of them is left. Idempotent."""
        self._planes = None
        self._lease = None

    @property
    def pixel_format(self) -> str:
        """By FFmpeg's name."""
        return self._form.pixel_format.name.lower()

    @property
    def key(self) -> bool:
        """A decoder can start here."""
        return bool(self._flags & video.OutputFlag.KEY)

    @property
    def damaged(self) -> bool:
        """The stream was faulty here; it is shown as the codec concealed it."""
        return bool(self._flags & video.OutputFlag.ERROR)

    @property
    def interlaced(self) -> bool:
        """Two fields."""
        return bool(self._flags & video.OutputFlag.INTERLACED)

    @property
    def top_field_first(self) -> bool:
        """With ``interlaced``: the top field is earlier."""
        return bool(self._flags & video.OutputFlag.TOP_FIRST)

    @property
    def picture_type(self) -> str:
        """``intra``, ``predicted``, ``bidirectional`` or ``unknown``."""
        return self._type.name.lower()

    @property
    def color(self) -> Color:
        """How samples become colours."""
        return color_of(self._form)

    @property
    def format(self) -> Format:
        """What this picture has in common with those around it."""
        return Format.of_wire(self._form)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Picture {self.width}x{self.height} {self.pixel_format} timestamp={self.timestamp}>"


class WritablePicture:
    """An empty picture in pages that an encoder will read: fill its planes, then send it.

    Attributes:
        width: columns.
        height: rows.
        pixel_format: by FFmpeg's name.
        timestamp: in units of the caller's choice; None lets the encoder count pictures.
        duration: in the same unit.
        key: code it as a key frame.
    """

    __slots__ = ("_form", "_lease", "_planes", "duration", "height", "key", "pixel_format", "timestamp", "width")

    def __init__(self, lease: Lease, form: video.PictureFormat) -> None:
        self._lease: Lease | None = lease
        self._form = form
        self._planes: tuple[Plane, ...] | None = None
        self.width = form.width
        self.height = form.height
        self.pixel_format = form.pixel_format.name.lower()
        self.timestamp: int | None = None
        self.duration = 0
        self.key = False

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Writable views of the samples.

        Raises:
            StateError: it has been sent.
        """
        if self._planes is None:
            if self._lease is None:
                raise StateError("sent", "not yet sent")
            form = self._form
            geometry = plane_geometry(form, Crop(form.crop_left, form.crop_top, form.width, form.height))
            self._planes = _views(self._lease, geometry, read_only=False)
        return self._planes

    @property
    def series(self) -> int:
        """For the encoder: which of its devices can read the pages.

        Raises:
            StateError: it has been sent.
        """
        if self._lease is None:
            raise StateError("sent", "not yet sent")
        return self._lease.span.series

    def take(self) -> Lease:
        """For the encoder: the pages, once.

        Raises:
            StateError: it has been sent before.
        """
        if self._lease is None:
            raise StateError("sent", "not yet sent")
        lease, self._lease, self._planes = self._lease, None, None
        return lease
