# SPDX-License-Identifier: Apache-2.0
import errno
import io
import os
import resource
import signal

import numpy as np
import pytest

from paracore import MediaError
from paracore.media import Image, RasterFormat, RawReader, RawWriter, empty_planes


def picture(value, width=6, height=4):
    planes = empty_planes("yuv420p", width, height)
    for plane in planes:
        plane[...] = value
    return Image(planes, width, height, "yuv420p", None)


def test_samples_follow_each_other(tmp_path):
    wide = np.arange(80, dtype=np.uint8).reshape(4, 20)
    image = Image((wide[:, 3:9], wide[:2, :3], wide[:2, 10:13]), 6, 4, "yuv420p", None)
    with (tmp_path / "x").open("wb") as file:
        RawWriter(file).write(image)
    assert (tmp_path / "x").read_bytes() == b"".join(plane.tobytes() for plane in image.planes)


def test_what_is_written_is_read():
    raster = RasterFormat("yuv420p", 6, 4)
    reader = RawReader(io.BytesIO(b"\1" * 36 + b"\2" * 36), "x", raster)
    planes = empty_planes("yuv420p", 6, 4)
    for value in (1, 2):
        assert reader.read_into(planes)
        assert all((plane == value).all() for plane in planes)
    assert not reader.read_into(planes)


def test_half_a_picture_is_told():
    reader = RawReader(io.BytesIO(bytes(50)), "x.yuv", RasterFormat("yuv420p", 6, 4))
    planes = empty_planes("yuv420p", 6, 4)
    assert reader.read_into(planes)
    with pytest.raises(MediaError, match="--size or --format"):
        reader.read_into(planes)


def test_a_full_disk_leaves_whole_pictures(tmp_path):
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with (tmp_path / "x").open("wb", buffering=0) as file:
            writer = RawWriter(file)
            writer.write(picture(1))
            writer.write(picture(2))
            with pytest.raises(OSError, match="large") as caught:
                writer.write(picture(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename.endswith("x")
    assert (tmp_path / "x").read_bytes() == b"\1" * 36 + b"\2" * 36


def test_pictures_can_go_into_a_pipe():
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb", buffering=0) as file:
        RawWriter(file).write(picture(5))
    with os.fdopen(ours, "rb") as file:
        assert file.read() == b"\5" * 36


def test_a_closed_pipe_is_a_closed_pipe():
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        RawWriter(file).write(picture(5))
