# SPDX-License-Identifier: Apache-2.0
"""The promises on real Xen: a guest of the emulated board beside the same thing done in dom0.

What an emulated processor does in a second says nothing, and ratios in one run say a lot: both sides are emulated
by the same machine in turns. Needs what ``make testbed`` builds.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._raw import raw_pictures
from bench._report import Result, of_pairs, of_value
from bench._setting import ROOT, Setting
from paracore.demo import Run, zoomed_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed import Board

__all__ = ["BENCHMARKS"]

_GUESTS = ("d1", "d2")
_GUEST = _GUESTS[0]
_SOCKET = "/run/paracore/paracore.sock"
_FOLDER = "/run/bench"
_TOOLS = ("paracore-ping", "paracore-pingpong")
_LIBRARIES = {"LD_LIBRARY_PATH": "/opt/paracore/src/paracore/_native"}
_SPIN_SECONDS = 0.02
_WIDTH, _HEIGHT, _SECONDS = 1280, 720, 5
_RAW_WIDTH, _RAW_HEIGHT, _RAW_PICTURES = 640, 360, 150
"""What vicodec takes at least."""


def xen(setting: Setting) -> Iterator[Result]:
    """One board for all of it."""
    from testbed import CONFIGURATION, Board, Scene  # noqa: PLC0415 - not for the other benchmarks

    with Board(guests=_GUESTS) as board:
        place = _Place(setting, board)
        with Scene(board) as scene:
            scene.serve()
            scene.frontend(_GUEST)
            scene.attach(_GUEST, "vpu0", "vpu1")
            yield place.call("xen-call-sleeping", "evtchn")
            yield place.decode()
            yield place.encode()
            yield place.grants()
            scene.detach(_GUEST)
        with Scene(board) as scene:
            scene.serve(CONFIGURATION.replace("[backend]", f"[backend]\nworker_spin = {_SPIN_SECONDS}"))
            scene.frontend(_GUEST)
            scene.attach(_GUEST, "vpu0")
            yield place.spin()


class _Place:
    """A guest, dom0, and the files in them."""

    def __init__(self, setting: Setting, board: Board) -> None:
        self._setting = setting
        self._board = board
        clip = zoomed_clip(setting.clips, "bigbuckbunny", _WIDTH, _HEIGHT, "3M", seconds=_SECONDS)
        large = zoomed_clip(setting.clips, "bigbuckbunny", _RAW_WIDTH, _RAW_HEIGHT, "900k", seconds=6)
        raw = raw_pictures(setting.clips, large, _RAW_HEIGHT, _RAW_PICTURES)
        self._clip, self._raw = (f"{_FOLDER}/{path.name}" for path in (clip.path, raw))
        for domain in ("dom0", _GUEST):
            board.put(domain, [clip.path, raw, *_tools()], _FOLDER)

    # --- calls --------------------------------------------------------------------------------------

    def call(self, name: str, way: str) -> Result:
        """A small call between sleeping sides beside a bare event-channel ping-pong in C."""
        count = 200 if self._setting.quick else 1000
        pairs = in_turns(lambda: self._bare(count), lambda: self._ping(count), self._setting.pairs)
        return of_pairs(name, "µs", pairs, f"bare {way} ping-pong in C")

    def spin(self) -> Result:
        """The same with both sides spinning."""
        return of_value("xen-call-spinning", "µs", self._ping(1000, "--spin"))

    def _ping(self, count: int, *options: str) -> float:
        words = (f"{_FOLDER}/paracore-ping", _SOCKET, str(count), *options)
        return _median_us(self._board.run(_GUEST, *words, environment=_LIBRARIES, timeout=300).output)

    def _bare(self, count: int) -> float:
        board, program = self._board, f"{_FOLDER}/paracore-pingpong"
        with board.start(_GUEST, program, "evtchn", str(count), "0") as measuring:
            port = re.search(r"\d+", measuring.wait_output("\n"))
            assert port
            domid = str(board.domid(_GUEST))
            board.run("dom0", program, "evtchn", str(count), domid, port[0], timeout=300)
            return _median_us(measuring.wait(60).check().output)

    # --- codecs -------------------------------------------------------------------------------------

    def decode(self) -> Result:
        """H.264 by libav on one codec thread."""
        pairs = in_turns(self._plain, self._decode, self._setting.pairs)
        return of_pairs("xen-decode", "frames/s", pairs, "plain libav in dom0", threads=1)

    def _plain(self) -> float:
        program = "/opt/paracore/src/paracore/_native/plain-decode"
        return _rate(self._board.run("dom0", program, self._clip, "1", octets=b"\n", timeout=300).output)

    def _decode(self) -> float:
        words = ("python3", "/opt/paracore/bench/clients/decode.py", _SOCKET, self._clip, "1")
        return _rate(self._board.run(_GUEST, *words, octets=b"\n", timeout=300).output)

    def encode(self) -> Result:
        """The kernel's vicodec from the guest beside the same codec by v4l2-ctl in dom0."""
        pairs = in_turns(
            lambda: self._encode("dom0", "v4l2-ctl"), lambda: self._encode(_GUEST, _SOCKET), self._setting.pairs
        )
        return of_pairs("xen-vicodec", "frames/s", pairs, "v4l2-ctl in dom0")

    def _encode(self, domain: str, way: str) -> float:
        words = ("python3", "/opt/paracore/bench/clients/kernel.py", way, self._raw, str(_RAW_WIDTH), str(_RAW_HEIGHT))
        return _rate(self._board.run(domain, *words, timeout=300).output)

    def grants(self) -> Result:
        """Pages granted, mapped and unmapped for each picture once a stream runs, as dom0's end of Xen counts them."""
        words = ("python3", "/opt/paracore/bench/clients/grants.py", _SOCKET, self._clip)
        with self._board.start(_GUEST, *words) as decoding:
            counts = []
            for where in ("warm", "done"):
                said = decoding.wait_output(f'"{where}"', timeout=300)
                counts.append((json.loads(said.splitlines()[-1])["pictures"], self._mapped()))
                decoding.write(b"\n")
        (before, warm), (after, done) = counts
        pictures, pages = after - before, {name: done[name] - warm[name] for name in done}
        return of_value("xen-grants", "a picture", sum(pages.values()) / pictures, pictures=pictures, **pages)

    def _mapped(self) -> dict[str, int]:
        """Pages that the backend has mapped and unmapped so far."""
        said = json.loads(self._board.run("dom0", "paracore", "list", "--json").output)["transports"]
        return {name: said[name] for name in ("mapped", "unmapped")}


def _tools() -> list[Path]:
    return [ROOT / "build" / "aarch64" / "native" / "native" / "tools" / name for name in _TOOLS]


def _median_us(said: str) -> float:
    return float(json.loads(said.splitlines()[-1])["median_ns"]) / 1e3


def _rate(said: str) -> float:
    return Run(**json.loads(said.splitlines()[-1])).rate


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"xen": xen}
