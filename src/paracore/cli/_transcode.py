# SPDX-License-Identifier: Apache-2.0
"""``paracore transcode``: a video to another codec or container, decoded and encoded on devices."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain, islice
from typing import TYPE_CHECKING

from paracore.cli._backend import choose_device, connect
from paracore.cli._complaints import input_verdict, output_verdict
from paracore.cli._options import add_encoder_options, add_file, add_session_options, positive
from paracore.cli._progress import Tally, progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import paracore
    from paracore.cli._exit import ExitCode
    from paracore.cli._film import Fitting
    from paracore.media import Stream

NAME = "transcode"
SUMMARY = "decode a video and encode it anew"
EXAMPLES = """
  paracore transcode clip.mp4 -o clip.webm --codec vp9 --bitrate 2M
  paracore transcode clip.mkv -o clip.mp4 --codec hevc --preset veryfast --frames 100
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    add_file(parser, "input", metavar="IN", help="a container or an elementary stream; - is standard input")
    output = "a file whose name says the container (.mp4, .mkv, .webm, .ivf, .h264, ...); - is the bare stream"
    add_file(parser, "-o", "--output", metavar="OUT", required=True, help=output)
    parser.add_argument("--input-codec", metavar="CODEC", help="for a bare stream without a telling name: h264, ...")
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after N pictures")
    add_encoder_options(parser)
    add_session_options(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Transcodes."""
    from paracore.cli._sink import check_not_same  # noqa: PLC0415 - needs NumPy and libav
    from paracore.media import demux  # noqa: PLC0415 - as above

    check_not_same(arguments.input, arguments.output)
    tally = Tally()
    with ExitStack() as stack:
        stream = stack.enter_context(demux(arguments.input, codec=arguments.input_codec))
        domain = stack.enter_context(connect(arguments))
        device = choose_device(domain, stream.codec, "decode", arguments.device)
        decoder = stack.enter_context(device.decoder(stream.codec, threads=arguments.threads))
        tally.restart()
        _encode(arguments, domain, stream, islice(decoder.decode(stream), arguments.frames), tally)
        tally.recoveries += decoder.recoveries
        verdict = input_verdict(arguments.input, stream, decoder, pictures=tally.pictures, damaged=tally.damaged)
    if tally.pictures:
        tally.print(arguments)
    return output_verdict(arguments.output, tally) or verdict


def _encode(
    arguments: argparse.Namespace,
    domain: paracore.Domain,
    stream: Stream,
    pictures: Iterator[paracore.Picture],
    tally: Tally,
) -> None:
    """Encodes what is decoded; its looks are those of the first picture."""
    from paracore.cli._film import Fitting, open_film  # noqa: PLC0415 - needs NumPy and libav

    first = next(pictures, None)
    if first is None:
        return
    device = choose_device(domain, arguments.codec, "encode", arguments.device)
    fitting = Fitting(device, arguments.codec, first.pixel_format)
    film = open_film(
        arguments,
        device,
        size=(first.width, first.height),
        pixel_format=fitting.pixel_format,
        rate=stream.rate,
        time_base=stream.time_base,
        aspect=stream.aspect,
        color=first.color,
    )
    tally.facts |= {"codec": arguments.codec, "from": stream.codec, "device": device.name}
    total = min(filter(None, (stream.frames, arguments.frames)), default=None)
    with (
        film as (encoder, write),
        progress(f"{stream.codec} to {arguments.codec}", total, quiet=arguments.quiet) as tell,
    ):
        for packet in encoder.encode(_fitted(chain([first], pictures), fitting, encoder, tally)):
            write(packet)
            tally.octets += len(packet.data)
            tell(tally.pictures)
        tally.recoveries, tally.lost = encoder.recoveries, encoder.lost


def _fitted(
    pictures: Iterator[paracore.Picture], fitting: Fitting, encoder: paracore.Encoder, tally: Tally
) -> Iterator[paracore.WritablePicture]:
    for picture in pictures:
        target = encoder.picture()
        fitting.fill(target, picture)
        target.timestamp, target.duration = picture.timestamp, picture.duration
        tally.pictures += 1
        tally.damaged += picture.damaged
        picture.release()
        yield target
