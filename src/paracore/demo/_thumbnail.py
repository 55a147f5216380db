# SPDX-License-Identifier: Apache-2.0
"""A decoded picture as a small RGB image, by PyAV's scaler: application code, nothing of paracore's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from paracore.frontend import Picture

__all__ = ["thumbnail"]

_WIDTH = 320


def thumbnail(picture: Picture) -> tuple[bytes, tuple[int, int]]:
    """The picture scaled to a width of 320: packed RGB octets and the size."""
    frame = av.VideoFrame(picture.width, picture.height, picture.pixel_format)
    for plane, samples in zip(frame.planes, picture.planes, strict=True):
        rows = np.ascontiguousarray(samples).view(np.uint8).reshape(samples.shape[0], -1)
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[: rows.shape[0], : rows.shape[1]] = rows
        plane.update(padded.tobytes())
    size = _WIDTH, max(2, _WIDTH * picture.height // picture.width // 2 * 2)
    small = frame.reformat(*size, format="rgb24", interpolation="AREA")
    return small.to_ndarray().tobytes(), size
