# SPDX-License-Identifier: Apache-2.0
"""What the shims' pictures are compared with: ffmpeg's own decoding, and what the device makes without a shim."""

import hashlib
import re
import subprocess

import paracore
from paracore.media import RasterFormat, RawReader


def ffmpeg(*words):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *words]
    return subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout


def pictures(path, size):
    """MD5 of each I420 picture of a raw file."""
    width, height = size
    octets = path.read_bytes()
    length = width * height * 3 // 2
    assert len(octets) % length == 0
    return [hashlib.md5(octets[at : at + length]).hexdigest() for at in range(0, len(octets), length)]


def decoded(path, folder, pixels="yuv420p"):
    """What ffmpeg makes of it, as a raw file."""
    raw = folder / "reference.yuv"
    ffmpeg("-i", path, "-pix_fmt", pixels, "-fps_mode", "passthrough", "-f", "rawvideo", raw)
    return raw


def film(folder, *options, size="176x144", seconds=3):
    path = folder / "film.mp4"
    source = f"testsrc2=s={size}:r=25:d={seconds}"
    ffmpeg(
        "-f", "lavfi", "-i", source, "-c:v", "libx264", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p", *options, path
    )
    return path


def psnr(one, other, size):
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "{}x{}".format(*size)]
    command = ["ffmpeg", "-nostdin", "-v", "info", *raw, "-i", one, *raw, "-i", other, "-lavfi", "psnr"]
    command += ["-f", "null", "-"]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return float(re.search(r"PSNR .*average:([\d.]+|inf)", done.stderr)[1])


def raw_pictures(coded, raw):
    """What ffmpeg decodes it to; there must be all."""
    ffmpeg("-i", coded, "-fps_mode", "passthrough", "-f", "rawvideo", raw)
    return raw.read_bytes()


def coded_directly(source, backend, folder, **settings):
    """What the same device makes of raw pictures without a shim between."""
    coded = folder / "direct.h264"
    size = {"width": 320, "height": 240}
    with (
        paracore.open(backend.address) as domain,
        domain.devices["vpu0"].encoder("h264", **size, rate=25, b_frames=0, low_delay=True, **settings) as encoder,
        source.open("rb") as file,
    ):
        reader = RawReader(file, source.name, RasterFormat("yuv420p", **size))
        coded.write_bytes(b"".join(packet.data for packet in encoder.encode(drawn(encoder, reader))))
    return raw_pictures(coded, folder / "direct.yuv")


def drawn(encoder, reader):
    while reader.read_into((picture := encoder.picture()).planes):
        yield picture
