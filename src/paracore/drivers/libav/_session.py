# SPDX-License-Identifier: Apache-2.0
"""A session of the libav device: each method is one function of ``native/drivers/libav/codec.h``."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paracore._native._libav import ffi, lib
from paracore.classes import video
from paracore.drivers import CallFailed, Span, VideoSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.drivers.libav._gate import LibavGate

__all__ = ["Session"]

BATCH = 32


def check(result: int) -> None:
    """Raises the failure of a native function: a negative error number of the wire."""
    if result < 0:
        raise CallFailed(video.Error(-result))


class Session(VideoSession):
    """See the module. ``close`` frees the codec; so does forgetting the session."""

    stoppable = False
    """Its thread is in the codec, and nothing in this process can take it out of there."""

    def __init__(
        self,
        codec: video.Codec,
        direction: video.Direction,
        flags: video.OpenFlag,
        threads: int,
        threads_max: int,
        *,
        gate: LibavGate | None = None,
    ) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads_max = threads_max
        self._gate = gate  # to outlive the codec
        options = ffi.new(
            "struct paracore_codec_options *",
            (codec, direction, threads, flags, self._event, 0, gate.native if gate else ffi.NULL),
        )
        opened = ffi.new("struct paracore_codec **")
        try:
            check(lib.paracore_codec_open(options, opened))
        except CallFailed:
            os.close(self._event)
            raise
        self._codec = ffi.gc(opened[0], lib.paracore_codec_close)
        self._times = ffi.new("struct paracore_codec_times *")
        self._batch = ffi.new("struct paracore_completion[]", BATCH)

    @property
    def worked(self) -> int:
        """As in ``VideoSession``."""
        return int(self._spent().worked)

    @property
    def waited(self) -> int:
        """As in ``VideoSession``: for a lease of the processor's time."""
        return int(self._spent().waited)

    def _spent(self) -> Any:
        if self._event >= 0:
            lib.paracore_codec_times(self._codec, self._times)
        return self._times

    def fileno(self) -> int:
        return self._event

    def completions(self) -> list[video.Event]:
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        events: list[video.Event] = []
        count = BATCH
        while count == BATCH:
            count = lib.paracore_codec_completions(self._codec, self._batch, BATCH)
            events += [self._event_of(self._batch[n]) for n in range(count)]
        return events

    def _event_of(self, completion: Any) -> video.Event:
        self.copies += completion.copied
        return EVENTS[completion.kind](completion)

    def busy_since(self) -> int | None:
        return lib.paracore_codec_busy_since(self._codec) or None

    def format_get(self) -> video.PictureFormat:
        format_ = ffi.new("struct paracore_picture_format *")
        check(lib.paracore_codec_format_get(self._codec, format_))
        return unpacked(format_)

    def format_set(self, wanted: video.PictureFormat) -> video.PictureFormat:
        format_ = ffi.new("struct paracore_picture_format *")
        ffi.memmove(format_, wanted.pack(), video.PictureFormat.SIZE)
        check(lib.paracore_codec_format_set(self._codec, format_))
        return unpacked(format_)

    def control_get(self, control: video.Control) -> int:
        value = ffi.new("int64_t *")
        check(lib.paracore_codec_control_get(self._codec, control, value))
        return int(value[0])

    def control_set(self, control: video.Control, value: int) -> int:
        if control is video.Control.THREADS and self._threads_max:
            value = min(value or self._threads_max, self._threads_max)
        taken = ffi.new("int64_t *", value)
        check(lib.paracore_codec_control_set(self._codec, control, taken))
        return int(taken[0])

    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None:
        address = ffi.cast("void *", span.address)
        check(lib.paracore_codec_queue_input(self._codec, cookie, address, span.length, timestamp, duration, flags))

    def queue_output(self, span: Span, cookie: int) -> None:
        address = ffi.cast("void *", span.address)
        check(lib.paracore_codec_queue_output(self._codec, cookie, address, span.length))

    def holds(self, span: Span) -> bool:
        return bool(lib.paracore_codec_holds(self._codec, ffi.cast("void *", span.address), span.length))

    def drain(self) -> None:
        check(lib.paracore_codec_drain(self._codec))

    def flush(self) -> None:
        check(lib.paracore_codec_flush(self._codec))

    def recall(self) -> None:
        lib.paracore_codec_recall(self._codec)

    def label(self, channel: int, session: int) -> None:
        lib.paracore_codec_label(self._codec, channel, session)

    def close(self) -> None:
        if self._event >= 0:
            self._spent()
            ffi.release(self._codec)
            os.close(self._event)
        self._event = -1


# --- completions as events ------------------------------------------------------------------------


def unpacked(format_: Any) -> video.PictureFormat:
    """A format of C's, which lies in memory as it does on the wire."""
    return video.PictureFormat.unpack(ffi.buffer(format_, video.PictureFormat.SIZE))


def input_done(completion: Any) -> video.InputDone:
    """Of a completion."""
    return video.InputDone(completion.cookie, completion.error)


def output_ready(completion: Any) -> video.OutputReady:
    """Of a completion."""
    c = completion
    return video.OutputReady(
        c.cookie,
        video.OutputFlag(c.flags),
        c.timestamp,
        c.decode_timestamp,
        c.duration,
        c.generation,
        c.bytes_used,
        video.PictureType(c.picture_type),
        c.crop_left,
        c.crop_top,
        c.width,
        c.height,
    )


def source_change(completion: Any) -> video.SourceChange:
    """Of a completion."""
    changes = video.ChangeFlag(completion.flags)
    return video.SourceChange(completion.generation, changes, unpacked(ffi.addressof(completion, "format")))


def drained(_: Any) -> video.Drained:
    """Of a completion."""
    return video.Drained()


def session_failed(completion: Any) -> video.SessionFailed:
    """Of a completion."""
    return video.SessionFailed(video.Error(completion.error), video.Limit.NONE, 0)


EVENTS: dict[int, Callable[[Any], video.Event]] = {
    lib.PARACORE_COMPLETION_INPUT_DONE: input_done,
    lib.PARACORE_COMPLETION_OUTPUT_READY: output_ready,
    lib.PARACORE_COMPLETION_SOURCE_CHANGE: source_change,
    lib.PARACORE_COMPLETION_DRAINED: drained,
    lib.PARACORE_COMPLETION_FAILED: session_failed,
}
