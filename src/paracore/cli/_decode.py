# SPDX-License-Identifier: Apache-2.0
"""``paracore decode``: a file's video as raw pictures, or a hash of each."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

from paracore.cli._backend import choose_device, connect
from paracore.cli._complaints import input_verdict
from paracore.cli._exit import ExitCode, UsageError
from paracore.cli._options import add_file, add_session_options, positive
from paracore.cli._progress import Tally, progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import paracore
    from paracore.cli._sink import Sink
    from paracore.media import Stream

NAME = "decode"
SUMMARY = "decode a video to raw pictures"
EXAMPLES = """
  paracore decode clip.mp4 -o clip.y4m                 all pictures, with a header
  paracore decode clip.mkv -o clip.yuv --format nv12   bare samples in another layout
  paracore decode clip.h264 -o - | ffplay -            into a player
  paracore decode clip.mp4 --framehash --frames 10     as ffmpeg -f framemd5 prints them
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "input", metavar="IN", help="a container or an elementary stream; - is standard input")
    add_file(
        parser,
        "-o",
        "--output",
        metavar="OUT",
        help="a .y4m file, any other name for bare samples; - is standard output",
    )
    parser.add_argument("--raw", action="store_true", help="bare samples whatever the output's name, also for -")
    parser.add_argument(
        "--format", metavar="FMT", help="convert to this pixel format, by FFmpeg's name (nv12, rgb24, ...)"
    )
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after N pictures")
    parser.add_argument("--framehash", action="store_true", help="print a hash per picture, as ffmpeg -f framemd5 does")
    parser.add_argument(
        "--input-codec", metavar="CODEC", help="for a bare stream without a telling name: h264, hevc, ..."
    )
    add_session_options(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Decodes."""
    from paracore.cli._sink import open_sink  # noqa: PLC0415 - needs NumPy and libav
    from paracore.media import demux  # noqa: PLC0415 - as above

    if arguments.framehash and (arguments.output == "-" or arguments.json):
        raise UsageError("--framehash prints to standard output; give -o a file's name, and leave --json out")
    with ExitStack() as stack:
        stream = stack.enter_context(demux(arguments.input, codec=arguments.input_codec))
        sink = stack.enter_context(open_sink(arguments, stream))
        domain = stack.enter_context(connect(arguments))
        device = choose_device(domain, stream.codec, "decode", arguments.device)
        decoder = stack.enter_context(device.decoder(stream.codec, threads=arguments.threads))
        tally = Tally()
        _decode(arguments, stream, decoder, sink, tally)
        verdict = input_verdict(arguments.input, stream, decoder, pictures=tally.pictures, damaged=tally.damaged)
        tally.recoveries = decoder.recoveries
        tally.facts |= {"codec": stream.codec, "device": device.name}
    if not arguments.framehash:  # which is its own summary
        tally.print(arguments)
    return verdict


def _decode(arguments: argparse.Namespace, stream: Stream, decoder: paracore.Decoder, sink: Sink, tally: Tally) -> None:
    total = min(filter(None, (stream.frames, arguments.frames)), default=None)
    with progress(f"decoding {stream.codec}", total, quiet=arguments.quiet) as tell:
        for picture in _limited(decoder.decode(stream), arguments.frames):
            sink.write(picture)
            tally.pictures += 1
            tally.damaged += picture.damaged
            picture.release()
            tell(tally.pictures)


def _limited(pictures: Iterator[paracore.Picture], most: int | None) -> Iterator[paracore.Picture]:
    return pictures if most is None else islice(pictures, most)
