# SPDX-License-Identifier: Apache-2.0
"""Where decoded pictures go: files, standard output, hashes, or nowhere."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from paracore.cli._exit import UsageError, output_errors
from paracore.media import FILE_LAYOUTS, Converter, FrameHash, RasterFormat, RawWriter, Y4mWriter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import paracore
    from paracore.media import Stream

__all__ = ["Sink", "check_not_same", "open_binary", "open_sink", "shown"]


class Sink(Protocol):
    """What takes pictures."""

    def write(self, picture: paracore.Picture) -> None:
        """Takes one."""


@contextmanager
def open_sink(arguments: argparse.Namespace, stream: Stream) -> Iterator[Sink]:
    """The sink that the options ask for; a file is made when the first picture is there."""
    if arguments.format not in {None, *FILE_LAYOUTS}:
        raise UsageError(f"{arguments.format} is no format for files here; one of: {', '.join(FILE_LAYOUTS)}")
    converter = Converter(arguments.format)
    sinks: list[Sink] = []
    with ExitStack() as stack:
        if arguments.framehash:
            sinks.append(_Hashes(converter if arguments.format else None, stream))
        if arguments.output is not None:
            check_not_same(arguments.input, arguments.output)
            sinks.append(_File(arguments, converter, stream, stack))
        yield _All(sinks)


class _All:
    def __init__(self, sinks: list[Sink]) -> None:
        self._sinks = sinks

    def write(self, picture: paracore.Picture) -> None:
        for sink in self._sinks:
            sink.write(picture)


class _Hashes:
    """Prints a line for each picture."""

    def __init__(self, converter: Converter | None, stream: Stream) -> None:
        self._converter = converter
        self._hash = FrameHash.of_stream(sys.stdout, stream)

    def write(self, picture: paracore.Picture) -> None:
        converted = picture if self._converter is None else self._converter.convert(picture)
        with output_errors("standard output"):
            self._hash.write(converted)


class _File:
    """Writes to a file, in one format and size: that of the first picture if none was asked for."""

    def __init__(self, arguments: argparse.Namespace, converter: Converter, stream: Stream, stack: ExitStack) -> None:
        self._name = arguments.output
        self._y4m = not arguments.raw and (self._name == "-" or Path(self._name).suffix.lower() == ".y4m")
        self._converter = converter
        self._stream = stream
        self._stack = stack
        self._writer: Y4mWriter | RawWriter | None = None

    def write(self, picture: paracore.Picture) -> None:
        converted = self._converter.convert(picture)
        with output_errors(shown(self._name)):
            if self._writer is None:
                file = self._stack.enter_context(open_binary(self._name))
                raster = raster_of(picture, converted.pixel_format, self._stream)
                self._writer = Y4mWriter(file, raster) if self._y4m else RawWriter(file)
            self._writer.write(converted)


def raster_of(picture: paracore.Picture, pixel_format: str, stream: Stream) -> RasterFormat:
    """What a y4m header says of a decoded stream."""
    interlacing = "p" if not picture.interlaced else "t" if picture.top_field_first else "b"
    chroma = {1: "left", 2: "center", 3: "topleft"}.get(picture.color.chroma_location, "center")
    color_range = {1: "limited", 2: "full"}.get(picture.color.range, "")
    return RasterFormat(
        pixel_format, picture.width, picture.height, stream.rate, stream.aspect, interlacing, chroma, color_range
    )


@contextmanager
def open_binary(name: str) -> Iterator[BinaryIO]:
    """A file for writing; standard output for ``-``."""
    if name == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    with open(name, "wb", buffering=0) as file:  # noqa: PTH123 - a str all the way
        yield file


def check_not_same(source: str, target: str) -> None:
    """Raises ``UsageError`` when an output would overwrite its own input."""
    if "-" not in {source, target} and os.path.exists(target) and os.path.samefile(source, target):  # noqa: PTH110, PTH121
        raise UsageError(f"{target} is the input; write somewhere else")


def shown(name: str) -> str:
    """A file's name for a person."""
    return "standard output" if name == "-" else name
