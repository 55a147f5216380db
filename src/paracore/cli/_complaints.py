# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an input that could nevertheless be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.cli._exit import ExitCode, complain

if TYPE_CHECKING:
    import paracore
    from paracore.cli._progress import Tally
    from paracore.media import Stream

__all__ = ["input_verdict", "output_verdict"]


def input_verdict(name: str, stream: Stream, decoder: paracore.Decoder, *, pictures: int, damaged: int) -> ExitCode:
    """Says in one line what was wrong with the input, if anything was."""
    faults = []
    if stream.cut_short:
        faults.append("is cut short")
    if damaged:
        faults.append(f"has {damaged} damaged pictures")
    if decoder.refused:
        faults.append(f"has {decoder.refused} packets of which no picture could be made")
    if not pictures and not faults:
        faults.append("holds no picture")
    if not faults:
        return ExitCode.OK
    complain(f"{name}: {', '.join(faults)}; {pictures} pictures were decoded")
    return ExitCode.DAMAGED if pictures else ExitCode.INPUT


def output_verdict(name: str, tally: Tally) -> ExitCode:
    """Says in one line what is missing from an output, if anything is."""
    if not tally.lost:
        return ExitCode.OK
    complain(f"{name}: {tally.lost} pictures are missing: they were lost with the worker that was encoding them")
    return ExitCode.BACKEND
