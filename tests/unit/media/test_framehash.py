# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
from fractions import Fraction

import numpy as np

from paracore.media import FrameHash, Image


def image(timestamp):
    luma = np.arange(64, dtype=np.uint8).reshape(4, 16)
    return Image((luma[:, :6], luma[:2, :3], luma[:2, 3:6]), 6, 4, "yuv420p", timestamp)


def lines(*timestamps, **settings):
    out = io.StringIO()
    hashes = FrameHash(out, **settings)
    for timestamp in timestamps:
        hashes.write(image(timestamp))
    return out.getvalue().splitlines()


def test_the_form_is_framemd5s():
    *header, line = lines(0, rate=Fraction(30000, 1001), time_base=Fraction(1, 30000), aspect=Fraction(128, 117))
    assert [each for each in header if "software" not in each] == [
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        "#tb 0: 1001/30000",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        "#dimensions 0: 6x4",
        "#sar 0: 128/117",
        "#stream#, dts,        pts, duration,     size, hash",
    ]
    packed = b"".join(plane.tobytes() for plane in image(0).planes)
    digest = hashlib.md5(packed).hexdigest()
    assert line == f"0,          0,          0,        1,       36, {digest}"


def numbers(rows):
    return [int(row.split(",")[1]) for row in rows if not row.startswith("#")]


def test_timestamps_count_pictures_from_the_start():
    rows = lines(1480, 1520, 1640, time_base=Fraction(1, 1000), start=Fraction(148, 100), rate=Fraction(25))
    assert numbers(rows) == [0, 1, 4]


def test_timestamps_that_are_not_known_are_counted():
    assert numbers(lines(None, None, None, time_base=Fraction(1, 25))) == [0, 1, 2]


def test_a_digest_alone():
    assert FrameHash.digest(image(0)) == lines(0)[-1].split(", ")[-1]
