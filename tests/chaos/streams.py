# SPDX-License-Identifier: Apache-2.0
"""The sixteen streams of a run: what each is started as, and whether what it has left is right.

A stream that was cut short must have delivered the beginning of what it would have delivered, picture by picture.
"""

import hashlib
import json
import multiprocessing
import os
import select
import subprocess
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from tests import clips
from tests.chaos import player
from tests.chaos.schedule import Kind, Outcome
from tests.integration.shims.conftest import NATIVE

PICTURES = 150
"""Six seconds."""
SIZE = "{}x{}".format(*player.SIZE)
LUMA_OFF_MAX = 6.0
"""Mean difference of an encoded picture from its source: far more than x264 makes of a ramp, far less than another picture."""

LANES = (
    (Kind.RECOVER, "h264"),
    (Kind.V4L2, "h264"),
    (Kind.FAIL, "hevc"),
    (Kind.ENCODE, ""),
    (Kind.RECOVER, "vp9"),
    (Kind.OMX, "h264"),
    (Kind.RECOVER, "hevc"),
    (Kind.V4L2, "vp8"),
    (Kind.ENCODE, ""),
    (Kind.FAIL, "h264"),
    (Kind.RECOVER, "vp8"),
    (Kind.OMX, "h264"),
    (Kind.V4L2, "hevc"),
    (Kind.RECOVER, "h264"),
    (Kind.FAIL, "vp9"),
    (Kind.ENCODE, ""),
)
"""Kind and codec; two lanes are a domain."""
DOMAINS = len(LANES) // 2
NEEDED = ("ffmpeg", "gst-launch-1.0")


class Stream(NamedTuple):
    """A program, and what judges it: from its exit code to an outcome, how many pictures, and what is wrong or was said.

    Attributes:
        start: runs it with a folder for what it says on standard error, and the group of its domain.
    """

    start: object
    judge: object


class Program:
    """One that runs: an executable, or a player forked off a process that has it loaded.

    Attributes:
        ended: polls readable once it has.
    """

    def __init__(self, process, ended):
        self._process, self.ended = process, ended

    @classmethod
    def executed(cls, words, environment, folder, gid):
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | {name: str(value) for name, value in environment.items()},
                **({} if gid is None else {"group": gid, "extra_groups": []}),
            )
        return cls(process, os.pidfd_open(process.pid))

    @classmethod
    def forked(cls, task, arguments, folder, gid):
        process = NURSERY.Process(target=player.play, args=(task, arguments, gid, str(folder / "errors")))
        process.start()
        return cls(process, os.dup(process.sentinel))

    def kill(self):
        """Says whether it was still there."""
        if select.select([self.ended], [], [], 0)[0]:
            return False
        self._process.kill()
        return True

    def wait(self):
        """Its exit code, negative for a signal."""
        os.close(self.ended)
        if isinstance(self._process, subprocess.Popen):
            return self._process.wait()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code


NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload([player.__name__])


@cache
def film(codec):
    return clips.film(codec, size=SIZE, pictures=PICTURES)


@cache
def digests(codec):
    """Of each picture, as ffmpeg decodes it."""
    return [digest for _, digest in clips.reference(film(codec))]


def prepare():
    """Starts the process that players are forked off; it ends with this one."""
    first = NURSERY.Process(target=len, args=("",))
    first.start()
    first.join()
    first.close()


def stream(kind, codec, address, folder):
    """A new one, whose folder is empty."""
    return {
        Kind.RECOVER: partial(_python, "recover"),
        Kind.FAIL: partial(_python, "fail"),
        Kind.ENCODE: _encode,
        Kind.V4L2: _v4l2,
        Kind.OMX: _omx,
    }[kind](codec, address, folder)


# --- decoders -------------------------------------------------------------------------------------------


def _python(on_loss, codec, address, folder):
    out = folder / "lines"
    start = partial(Program.forked, player.decode, (address, str(film(codec)), on_loss, str(out)))
    return Stream(start, lambda code: _decoded(_lines(out), codec, code, documented=code == 5))


def _v4l2(codec, address, folder):
    out = folder / "lines"
    words = f"ffmpeg -nostdin -v error -xerror -re -c:v {codec}_v4l2m2m -i {film(codec)} -map 0:v -f framemd5".split()
    environment = {"LD_PRELOAD": NATIVE / "libparacore-v4l2.so", "PARACORE_SOCKET": address}

    def judge(code):
        shown = [line.split(",")[5].strip() for line in _lines(out) if not line.startswith("#")]
        told = (folder / "errors").read_text(errors="replace")  # at a drain it goes on to a good end, but says so
        return _decoded(shown, codec, code or int(bool(told)), documented=code >= 0)

    return Stream(partial(Program.executed, [*words, "-flush_packets", "1", out], environment), judge)


def _omx(codec, address, folder):
    config, out = folder / "gstomx.conf", folder / "out.yuv"
    config.write_text(
        f"[omxh264dec]\ntype-name=GstOMXH264Dec\ncore-name={NATIVE / 'libparacore-omx.so'}\nrank=0\n"
        "component-name=OMX.paracore.video_decoder.avc\nin-port-index=0\nout-port-index=1\n"
    )
    words = f"gst-launch-1.0 -q filesrc location={film(codec)} ! matroskademux ! h264parse ! clocksync ! omxh264dec"
    environment = {"GST_OMX_CONFIG_DIR": folder, "PARACORE_SOCKET": address}

    def judge(code):
        return _decoded(_raw_digests(out), codec, code, documented=code > 0)

    words = [*words.split(), "!", "filesink", "buffer-mode=unbuffered", f"location={out}"]
    return Stream(partial(Program.executed, words, environment), judge)


def _decoded(shown, codec, code, *, documented):
    """A beginning of the film; all of it if it says so."""
    whole = digests(codec)
    if shown != whole[: len(shown)]:
        place = next(n for n, digest in enumerate(shown) if n >= len(whole) or digest != whole[n])
        return Outcome.WRONG, len(shown), f"picture {place} is not the film's"
    if code == 0 and len(shown) != len(whole):
        return Outcome.WRONG, len(shown), f"{len(shown)} pictures of {len(whole)}, and says nothing"
    return _ended(code, documented=documented), len(shown), f"exit code {code}"


def _ended(code, *, documented):
    if code == 0:
        return Outcome.COMPLETE
    if code == -9:
        return Outcome.KILLED
    return Outcome.ENDED if documented else Outcome.WRONG


def _lines(path):
    """Whole ones."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def _raw_digests(path):
    """MD5 of each whole I420 picture."""
    octets = path.read_bytes() if path.exists() else b""
    length = player.SIZE[0] * player.SIZE[1] * 3 // 2
    return [hashlib.md5(octets[at : at + length]).hexdigest() for at in range(0, len(octets) - length + 1, length)]


# --- encoders -------------------------------------------------------------------------------------------


def _encode(_, address, folder):
    out = folder / "lines"
    start = partial(Program.forked, player.encode, (address, PICTURES, str(out)))
    return Stream(start, lambda code: _encoded(out, code))


def _encoded(out, code):
    """Each packet decodes to its picture; those that are missing are the ones that were said to be lost."""
    outcome = _ended(code, documented=code == 5)
    said = [json.loads(line) for line in _lines(out)]
    packets = [each for each in said if isinstance(each, list)]
    lost = sum(each for each in said if isinstance(each, int))  # its last word: also those after which no packet came
    times = [packet[0] for packet in packets]
    if times != sorted(set(times)):
        return Outcome.WRONG, len(packets), "its timestamps do not grow"
    if any(packet[0] - before - 1 != packet[3] for packet, before in zip(packets, [-1, *times], strict=False)):
        return Outcome.WRONG, len(packets), "pictures are missing without a word, or the word is wrong"
    if outcome is Outcome.COMPLETE and len(packets) + lost != PICTURES:
        return Outcome.WRONG, len(packets), f"{len(packets)} packets, {lost} lost, of {PICTURES} pictures"
    wrong = _wrong_pictures(Path(f"{out}.h264"), times, whole=outcome is Outcome.COMPLETE)
    return (Outcome.WRONG, len(packets), wrong) if wrong else (outcome, len(packets), f"exit code {code}")


def _wrong_pictures(path, times, *, whole):
    """What is wrong with them; a stream that was cut off may end in the middle of a packet."""
    shown = []
    if path.exists() and path.stat().st_size:
        with av.open(str(path), format="h264") as coded:
            shown = [picture.to_ndarray()[: player.SIZE[1]] for picture in coded.decode(video=0)]
    if whole and len(shown) != len(times):
        return f"{len(times)} packets are {len(shown)} pictures"
    for number, (picture, time) in enumerate(zip(shown[: len(times)], times, strict=False)):
        off = np.abs(picture.astype(int) - player.luma(time)).mean()
        if off > LUMA_OFF_MAX and (whole or number < len(times) - 1):
            return f"packet {number} is not picture {time}: {off:.1f} off"
    return ""
