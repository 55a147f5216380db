# SPDX-License-Identifier: Apache-2.0
"""Files with containers for the tests, made by Debian's ffmpeg on first use and kept in build/clips."""

import shutil
from functools import cache
from pathlib import Path

from tests.clips import FOLDER, SOURCE, SVT, VP9, X264, X265, run

FILMS = {
    "h264.mp4": f"{X264} -bf 2",
    "h264-fragments.mp4": f"{X264} -bf 2 -movflags frag_keyframe+empty_moov",
    "h264-front.mp4": f"{X264} -bf 2 -movflags faststart",
    "h264.mkv": f"{X264} -bf 2",
    "h264.avi": f"{X264} -bf 0",
    "h264.flv": X264,
    "h264-10.mkv": f"{X264} -pix_fmt yuv420p10le",
    "h264-interlaced.ts": f"{X264} -flags +ildct+ilme -bf 2",
    "hevc.mp4": X265,
    "hevc.mkv": X265,
    "vp8.webm": "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k",
    "vp9.webm": VP9,
    "av1.mp4": SVT,
    "av1.ivf": SVT,
    "av1.webm": SVT,
    "mpeg2.mpg": "-c:v mpeg2video -bf 2",
    "mpeg2.mkv": "-c:v mpeg2video -bf 2",
    "mpeg2.ts": "-c:v mpeg2video -bf 2",
    "mpeg4.avi": "-c:v mpeg4",
    "mpeg4.mp4": "-c:v mpeg4 -bf 2",
    "mjpeg.mkv": "-c:v mjpeg -pix_fmt yuvj420p",
    "mjpeg.avi": "-c:v mjpeg -pix_fmt yuvj422p",
    "odd.mp4": f"-vf crop=161:111:0:0:exact=1 {X264} -pix_fmt yuv444p",
    "uneven.mp4": f"-vf \"select='not(mod(n,3)*mod(n,5))'\" -vsync vfr {X264}",
    "late.mp4": f"{X264} -ss 0.3",
    "anamorphic.mkv": f"{X264} -vf setsar=16/11",
    "h264.h264": f"{X264} -bf 2",
    "hevc.hevc": X265,
}
"""Options of ffmpeg by the file's name."""


@cache
def film(name):
    """The path of a file of ``FILMS``."""
    return str(run(f"{SOURCE} {FILMS[name]}", FOLDER / "films" / name))


@cache
def sound():
    """A file with sound only."""
    return str(run("-f lavfi -i sine=d=0.5", FOLDER / "films" / "sound.m4a"))


@cache
def illustrated():
    """Sound with a cover picture, which is no video."""
    cover = run(f"{SOURCE} -frames:v 1", FOLDER / "films" / "cover.jpg")
    options = f"-i {sound()} -i {cover} -map 0 -map 1 -c copy -disposition:v:0 attached_pic"
    return str(run(options, FOLDER / "films" / "illustrated.m4a"))


def cut(name, folder, share=0.6):
    """A copy that ends early."""
    octets = Path(film(name)).read_bytes()
    target = folder / name
    target.write_bytes(octets[: int(len(octets) * share)])
    return str(target)


def copied(name, folder):
    """A copy that a test may write to."""
    return shutil.copy(film(name), folder)
