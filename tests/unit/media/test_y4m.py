# SPDX-License-Identifier: Apache-2.0
import io
import subprocess
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from paracore import MediaError
from paracore.media import Image, RasterFormat, Y4mReader, Y4mWriter, empty_planes
from tests.unit.media.films import film


def picture(pixel_format="yuv420p", width=6, height=4, seed=0):
    generator = np.random.default_rng(seed)
    planes = empty_planes(pixel_format, width, height)
    for plane in planes:
        plane[...] = generator.integers(0, 255, plane.shape)
    return Image(planes, width, height, pixel_format, None)


def write(path, raster, pictures):
    with path.open("wb", buffering=0) as file:
        writer = Y4mWriter(file, raster)
        for each in pictures:
            writer.write(each)
    return path.read_bytes()


def test_the_header_is_ffmpegs(tmp_path):
    raster = RasterFormat("yuv420p", 6, 4, Fraction(30000, 1001), Fraction(16, 11), "t", "left", "limited")
    octets = write(tmp_path / "x.y4m", raster, [])
    assert octets == b"YUV4MPEG2 W6 H4 F30000:1001 It A16:11 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED\n"


def test_an_unknown_aspect_is_zero(tmp_path):
    octets = write(tmp_path / "x.y4m", RasterFormat("gray", 6, 4), [])
    assert octets == b"YUV4MPEG2 W6 H4 F25:1 Ip A0:0 Cmono\n"


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p12le"])
def test_what_is_written_is_read(tmp_path, pixel_format):
    pictures = [picture(pixel_format, 5, 3, seed) for seed in range(3)]
    raster = RasterFormat(
        pixel_format, 5, 3, Fraction(25), Fraction(1), "p", "left" if pixel_format == "yuv420p" else "center"
    )
    write(tmp_path / "x.y4m", raster, pictures)
    with (tmp_path / "x.y4m").open("rb") as file:
        reader = Y4mReader(file, "x.y4m")
        assert reader.format == raster
        planes = empty_planes(pixel_format, 5, 3)
        for each in pictures:
            assert reader.read_into(planes)
            assert all((a == b).all() for a, b in zip(planes, each.planes, strict=True))
        assert not reader.read_into(planes)


def test_planes_with_padding_are_filled(tmp_path):
    source = picture()
    write(tmp_path / "x.y4m", RasterFormat("yuv420p", 6, 4), [source])
    padded = [np.zeros((plane.shape[0], plane.shape[1] + 10), plane.dtype) for plane in source.planes]
    with (tmp_path / "x.y4m").open("rb") as file:
        planes = [each[:, :-10] for each in padded]
        assert Y4mReader(file, "x").read_into(planes)
    assert all((a == b).all() for a, b in zip(planes, source.planes, strict=True))
    assert not any(each[:, -10:].any() for each in padded)


def test_ffmpeg_reads_what_is_written(tmp_path):
    source = picture("yuv420p10le", 16, 8)
    write(tmp_path / "x.y4m", RasterFormat("yuv420p10le", 16, 8), [source])
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "x.y4m"), "-f", "rawvideo", "-"]
    octets = subprocess.run(command, check=True, capture_output=True).stdout
    assert octets == b"".join(plane.tobytes() for plane in source.planes)


def test_what_ffmpeg_writes_is_read(tmp_path):
    command = ["ffmpeg", "-v", "error", "-i", film("h264-interlaced.ts"), "-f", "yuv4mpegpipe", "-"]
    octets = subprocess.run(command, check=True, capture_output=True).stdout
    reader = Y4mReader(io.BytesIO(octets), "pipe")
    assert reader.format[:4] == ("yuv420p", 176, 144, 25)
    assert reader.format.interlacing in "tb"
    planes = empty_planes("yuv420p", 176, 144)
    assert sum(iter(partial(reader.read_into, planes), False)) == 20  # noqa: FBT003 - the end


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "is empty"),
        (b"RIFF....", "is not a y4m"),
        (b"YUV4MPEG2 W4 H4", "is not a y4m"),
        (b"YUV4MPEG2 W4 H4 C420alpha\n", "chroma format"),
        (b"YUV4MPEG2 W4\n", "corrupt"),
        (b"YUV4MPEG2 W0 H4\n", "corrupt"),
        (b"YUV4MPEG2 W4 H99999\n", "corrupt"),
        (b"YUV4MPEG2 W4 H4 Fx:1\n", "corrupt"),
    ],
)
def test_a_bad_header_is_told(octets, words):
    with pytest.raises(MediaError, match=words):
        Y4mReader(io.BytesIO(octets), "x.y4m")


@pytest.mark.parametrize(
    ("rest", "words"), [(b"FRAME\n1234", "cut short"), (b"FRAME\n", "cut short"), (b"NOISE\n", "corrupt")]
)
def test_a_bad_picture_is_told(rest, words):
    reader = Y4mReader(io.BytesIO(b"YUV4MPEG2 W4 H4\n" + rest), "x.y4m")
    with pytest.raises(MediaError, match=words):
        reader.read_into(empty_planes("yuv420p", 4, 4))


def test_what_y4m_cannot_hold_is_told(tmp_path):
    with (tmp_path / "x.y4m").open("wb") as file, pytest.raises(MediaError, match="cannot hold nv12"):
        Y4mWriter(file, RasterFormat("nv12", 4, 4))
