# SPDX-License-Identifier: Apache-2.0
"""``paracore encode``: raw pictures to a video file."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from paracore.cli._backend import choose_device, connect
from paracore.cli._complaints import output_verdict
from paracore.cli._exit import UsageError
from paracore.cli._options import add_encoder_options, add_file, add_session_options, picture_size, positive, rate
from paracore.cli._progress import Tally, progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import paracore
    from paracore.cli._exit import ExitCode
    from paracore.cli._film import Fitting
    from paracore.media import RawReader, Y4mReader

NAME = "encode"
SUMMARY = "encode raw pictures to a video"
EXAMPLES = """
  paracore encode clip.y4m -o clip.mp4 --codec h264 --bitrate 4M --gop 50
  paracore encode raw.yuv -o clip.mkv --codec hevc --size 1920x1080 --rate 30 --format yuv420p10le
  generate | paracore encode - -o clip.webm --codec vp9
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "input", metavar="IN", help="a .y4m file, or bare samples with --size; - is standard input")
    output = "a file whose name says the container (.mp4, .mkv, .webm, .ivf, .h264, ...); - is the bare stream"
    add_file(parser, "-o", "--output", metavar="OUT", required=True, help=output)
    raw = parser.add_argument_group("bare samples")
    raw.add_argument("--size", type=picture_size, metavar="WxH", help="of the pictures; says that there is no header")
    raw.add_argument("--format", metavar="FMT", default="yuv420p", help="pixel format (default: yuv420p)")
    raw.add_argument("--rate", type=rate, metavar="R", help="pictures per second, such as 25 or 30000/1001")
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after N pictures")
    add_encoder_options(parser)
    add_session_options(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Encodes."""
    from paracore.cli._film import Fitting, open_film  # noqa: PLC0415 - needs NumPy and libav
    from paracore.cli._sink import check_not_same  # noqa: PLC0415 - as above

    check_not_same(arguments.input, arguments.output)
    tally = Tally()
    with ExitStack() as stack:
        reader = _open_reader(arguments, stack)
        raster = reader.format
        domain = stack.enter_context(connect(arguments))
        device = choose_device(domain, arguments.codec, "encode", arguments.device)
        fitting = Fitting(device, arguments.codec, raster.pixel_format)
        pace = arguments.rate or raster.rate or Fraction(25)
        film = open_film(
            arguments,
            device,
            size=(raster.width, raster.height),
            pixel_format=fitting.pixel_format,
            rate=pace,
            time_base=1 / pace,
            aspect=raster.aspect,
        )
        encoder, write = stack.enter_context(film)
        tally.restart()
        with progress(f"encoding {arguments.codec}", arguments.frames, quiet=arguments.quiet) as tell:
            for packet in encoder.encode(_pictures(reader, fitting, encoder, arguments.frames)):
                write(packet)
                tally.pictures += 1
                tally.octets += len(packet.data)
                tell(tally.pictures)
        tally.recoveries, tally.lost = encoder.recoveries, encoder.lost
        tally.facts |= {"codec": arguments.codec, "device": device.name}
    tally.print(arguments)
    return output_verdict(arguments.output, tally)


def _open_reader(arguments: argparse.Namespace, stack: ExitStack) -> Y4mReader | RawReader:
    from paracore.media import FILE_LAYOUTS, RasterFormat, RawReader, Y4mReader  # noqa: PLC0415 - as above

    name = "standard input" if arguments.input == "-" else arguments.input
    if arguments.size is None and Path(arguments.input).suffix.lower() not in {".y4m", ""} and arguments.input != "-":
        raise UsageError(
            f"{name}: its name does not say y4m: give --size (and --format, --rate) for bare samples, "
            "or use paracore transcode for a video"
        )
    file: BinaryIO = sys.stdin.buffer
    if arguments.input != "-":
        file = stack.enter_context(Path(arguments.input).open("rb"))  # noqa: SIM115 - the stack closes it
    if arguments.size is None:
        return Y4mReader(file, name)
    if arguments.format not in FILE_LAYOUTS:
        raise UsageError(f"{arguments.format} is no pixel format here; one of: {', '.join(FILE_LAYOUTS)}")
    return RawReader(
        file, name, RasterFormat(arguments.format, arguments.size.width, arguments.size.height, arguments.rate)
    )


def _pictures(
    reader: Y4mReader | RawReader, fitting: Fitting, encoder: paracore.Encoder, most: int | None
) -> Iterator[paracore.WritablePicture]:
    """Reads pictures, straight into the encoder's pages if they are of its format."""
    from paracore.media import Image, empty_planes  # noqa: PLC0415 - as above

    raster = reader.format
    own = raster.pixel_format == fitting.pixel_format
    between = () if own else empty_planes(raster.pixel_format, raster.width, raster.height)
    count = 0
    while most is None or count < most:
        picture = encoder.picture()
        if not reader.read_into(picture.planes if own else between):
            return
        if not own:
            fitting.fill(picture, Image(between, raster.width, raster.height, raster.pixel_format, None))
        yield picture
        count += 1
