# SPDX-License-Identifier: Apache-2.0
import av
import pytest

from paracore.classes import video
from paracore.frontend._formats import PIXEL_LAYOUTS
from paracore.frontend._geometry import Crop, plane_geometry
from tests.unit.frontend.device import picture_format


def test_each_pixel_format_of_the_wire_has_a_layout():
    assert set(PIXEL_LAYOUTS) == {each.name.lower() for each in video.PixelFormat if each}


@pytest.mark.parametrize("name", PIXEL_LAYOUTS)
def test_layouts_are_libavs(name):
    layout, frame = PIXEL_LAYOUTS[name], av.VideoFrame(66, 50, name)
    assert len(frame.planes) == len(layout.planes)
    for plane, memory in zip(layout.planes, frame.planes, strict=True):
        assert plane.shape(66, 50)[0] == memory.height
        assert plane.shape(66, 50)[1] == memory.width
    assert frame.format.components[0].bits == layout.bits


def test_odd_sizes_round_up():
    assert PIXEL_LAYOUTS["yuv420p"].packed_size(5, 3) == 15 + 2 * 3 * 2


def test_a_crop_moves_all_planes():
    luma, chroma, _ = plane_geometry(picture_format(), Crop(2, 4, 10, 8))
    assert (luma.offset, luma.shape, luma.strides) == (4 * 64 + 2, (8, 10), (64, 1))
    assert (chroma.offset, chroma.shape, chroma.strides) == (64 * 48 + 2 * 32 + 1, (4, 5), (32, 1))


def test_interleaved_chroma_has_a_third_axis():
    form = picture_format(
        pixel_format=video.PixelFormat.P010LE,
        plane_count=2,
        plane_offset=(0, 128 * 48, 0, 0),
        plane_stride=(128, 128, 0, 0),
        size=128 * 72,
    )
    luma, chroma = plane_geometry(form, Crop(0, 0, 64, 48))
    assert (luma.shape, luma.strides, luma.typestr) == ((48, 64), (128, 2), "<u2")
    assert (chroma.shape, chroma.strides) == ((24, 32, 2), (128, 4, 2))
