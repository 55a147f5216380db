# SPDX-License-Identifier: Apache-2.0
"""Options that several subcommands share, and the types of their values."""

from __future__ import annotations

import argparse
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CODECS",
    "PRESETS",
    "add_backend_options",
    "add_encoder_options",
    "add_file",
    "add_session_options",
    "add_trace_option",
    "bits_per_second",
    "burst",
    "count",
    "count_of_octets",
    "encoder_settings",
    "mode",
    "picture_size",
    "positive",
    "rate",
    "seconds",
    "share",
    "thousandths",
]

#: What an encoder can be asked for; which of them a device has, ``paracore list`` says.
CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg2", "mpeg4", "mjpeg", "fwht")

#: For shell completion: a file's name.
_FILE = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}

#: From fast to small; the numbers of the control ``preset``.
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip

_SIZE = re.compile(r"(\d+)x(\d+)\Z")
_OCTETS = re.compile(r"([0-9]+)([KMGT]?)(?:i?B)?\Z")
_BITS = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)\Z")


class Size(NamedTuple):
    """Of a picture."""

    width: int
    height: int


def _typed(pattern: str, convert: Callable[[str], object]) -> Callable[[str], object]:
    """An argparse type whose complaint says what is expected."""

    def parse(text: str) -> object:
        try:
            return convert(text)
        except (ValueError, ZeroDivisionError):
            raise argparse.ArgumentTypeError(f"{text!r} is not {pattern}") from None

    return parse


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _picture_size(text: str) -> Size:
    found = _SIZE.match(text)
    if not found or not int(found[1]) or not int(found[2]):
        raise ValueError(text)
    return Size(int(found[1]), int(found[2]))


def _bits(text: str) -> int:
    found = _BITS.match(text)
    if not found:
        raise ValueError(text)
    return int(float(found[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()])


def _octets(text: str) -> int:
    found = _OCTETS.match(text)
    if not found or not int(found[1]):
        raise ValueError(text)
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[found[2]]


def _rate(text: str) -> Fraction:
    number = Fraction(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _mode(text: str) -> int:
    number = int(text, 8)
    if not 0 <= number <= 0o777:
        raise ValueError(text)
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def _thousandths(text: str) -> int:
    """How many of them: where there are whole numbers only."""
    return _positive(str(round(_share(text) * 1000)))


def _burst(text: str) -> float:
    number = float(text)
    if not 1 <= number < float("inf"):
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def _preset_value(text: str) -> int | str:
    if text.isdecimal() and int(text) < len(PRESETS):
        return int(text)
    return PRESETS[PRESETS.index(text)]


positive = _typed("a number above 0", _positive)
count = _typed("a number from 0", _count)
picture_size = _typed("a size such as 1920x1080", _picture_size)
count_of_octets = _typed("a size such as 4096, 512M or 2G", _octets)
bits_per_second = _typed("a bit rate such as 4000000, 800k or 4M", _bits)
_preset = _typed(f"a number from 0 to 9 or one of {', '.join(PRESETS)}", _preset_value)
mode = _typed("a mode such as 660", _mode)
burst = _typed("a number from 1", _burst)
share = _typed("a number such as 0.25", _share)
thousandths = _typed("a number from 0.001, such as 0.25", _thousandths)
seconds = _typed("a number of seconds above 0", _seconds)
rate = _typed("a rate such as 25 or 30000/1001", _rate)


def add_file(parser: argparse._ActionsContainer, *names: str, **options: Any) -> None:
    """An argument that is a file's name."""
    action: Any = parser.add_argument(*names, **options)
    action.complete = _FILE  # shtab's way


def add_backend_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Which backend."""
    group = parser.add_argument_group("backend")
    where = group.add_mutually_exclusive_group()
    add_file(where, "--address", metavar="SOCKET", help="its socket (default: $PARACORE_SOCKET, else the system's)")
    where.add_argument("--private", action="store_true", help="start a backend for this command alone")
    return group


def add_trace_option(parser: argparse.ArgumentParser) -> None:
    """A timeline of what is done."""
    add_file(parser, "--trace", metavar="JSON", help="record a timeline of both sides for Perfetto (paracore trace)")


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Where the work is done, and how much is said about it."""
    group = add_backend_options(parser)
    group.add_argument("--device", metavar="NAME", help="which device (default: the first that can do it)")
    group.add_argument("--threads", type=count, metavar="N", help="codec threads; 0 lets the device choose (default)")
    group.add_argument(
        "--on-loss",
        choices=("recover", "fail"),
        default="recover",
        help="when the worker dies: go on with another one (default), or stop at once",
    )
    add_trace_option(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """How to encode."""
    group = parser.add_argument_group("encoding")
    group.add_argument("--codec", choices=CODECS, default="h264", help="of the output (default: h264)")
    group.add_argument("--bitrate", type=bits_per_second, metavar="BITS", help="bits per second, such as 4M or 800k")
    group.add_argument("--quality", type=int, metavar="N", help="constant quality in the codec's own scale (crf, q)")
    group.add_argument("--gop", type=positive, metavar="N", help="pictures from one key frame to the next at most")
    group.add_argument("--b-frames", type=count, metavar="N", help="bidirectional pictures in a row at most")
    group.add_argument(
        "--preset", metavar="P", type=_preset, help="0 (fastest) to 9 (smallest), or ultrafast to placebo"
    )


def encoder_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What ``add_encoder_options`` was told, as ``Device.encoder`` takes it; size and format are to be added."""
    return {
        "bitrate": arguments.bitrate,
        "quality": arguments.quality,
        "gop": arguments.gop,
        "b_frames": arguments.b_frames,
        "preset": arguments.preset,
        "threads": arguments.threads,
    }
