# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from paracore import Color, MediaError
from paracore.media import FILE_LAYOUTS, Converter, Image, empty_planes


def gray(value, width=34, height=18, pixel_format="yuv420p"):
    planes = empty_planes(pixel_format, width, height)
    shift = {"yuv420p10le": 2}.get(pixel_format, 0)
    for number, plane in enumerate(planes):
        plane[...] = (value if number == 0 else 128) << shift
    return Image(planes, width, height, pixel_format, 5)


def test_what_fits_goes_through_untouched():
    converter = Converter()
    first, second = gray(1), gray(2)
    assert converter.convert(first) is first
    assert converter.convert(second) is second
    assert Converter("yuv420p").convert(first) is first


@pytest.mark.parametrize("pixel_format", FILE_LAYOUTS)
def test_each_format_can_be_made(pixel_format):
    made = Converter(pixel_format).convert(gray(126))
    assert (made.pixel_format, made.width, made.height, made.timestamp) == (pixel_format, 34, 18, 5)
    layout = FILE_LAYOUTS[pixel_format]
    for plane, each in zip(made.planes, layout.planes, strict=True):
        shape = each.shape(34, 18)
        assert plane.shape == (shape if shape[2] > 1 else shape[:2])
        assert plane.dtype.itemsize == layout.sample_size


def test_samples_are_converted():
    made = Converter("rgb24").convert(gray(126))
    assert (np.abs(made.planes[0].astype(int) - 128) <= 1).all()
    made = Converter("yuv420p10le").convert(gray(126))
    assert (made.planes[0] == 126 * 4).all()
    made = Converter("yuv420p").convert(gray(126, pixel_format="yuv420p10le"))
    assert (np.abs(made.planes[0].astype(int) - 126) <= 1).all()


def test_another_size_becomes_the_firsts():
    converter = Converter()
    converter.convert(gray(10))
    made = converter.convert(gray(20, 68, 36))
    assert (made.width, made.height) == (34, 18)
    assert (made.planes[0] == 20).all()


class Colored:
    def __init__(self, image, color):
        self.planes, self.width, self.height, self.pixel_format, self.timestamp = image
        self.color = color


def test_the_range_counts():
    limited = Converter("rgb24").convert(Colored(gray(235), Color(range=1)))
    full = Converter("rgb24").convert(Colored(gray(235), Color(range=2)))
    assert (limited.planes[0] >= 254).all()
    assert (np.abs(full.planes[0].astype(int) - 235) <= 1).all()


def test_an_unknown_format_is_told():
    with pytest.raises(MediaError, match="one of: yuv420p"):
        Converter("rgb25")
