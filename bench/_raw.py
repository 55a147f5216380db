# SPDX-License-Identifier: Apache-2.0
"""Raw pictures for the encoders."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from paracore.demo import Clip

__all__ = ["raw_pictures"]


def raw_pictures(folder: Path, clip: Clip, height: int, pictures: int) -> Path:
    """A file of the first pictures of a clip as raw yuv420p; made once."""
    path = folder / f"raw-{height}p-{pictures}.yuv"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        words = ["-i", str(clip.path), "-frames:v", str(pictures), "-pix_fmt", "yuv420p", "-f", "rawvideo"]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *words, str(unfinished)], check=True)
        unfinished.rename(path)
    return path
