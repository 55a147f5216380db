# SPDX-License-Identifier: Apache-2.0
"""Runs all tests in parts: those on the emulated board beside the others, and then the ones that must be alone.

``python -m tests.parts [options of pytest]`` is what ``make test`` does. The board's tests mostly wait for two emulated
processors, one after the other; what the others do meanwhile is the time that is saved. What they say is kept apart:
that of the board's goes to a file and is shown when the others are done.

Each part has a cache of its own. With ``--last-failed`` nothing runs beside anything else, a part that passed is left out,
unless all did, and one that did not come to its end is run as a whole.
"""

import shutil
import subprocess
import sys
from pathlib import Path

BESIDE, BOARD, ALONE = "beside", "board", "alone"
PARTS = (BESIDE, BOARD, ALONE)
SAID = Path("build/test-board.log")

_CACHE = Path(".pytest_cache")
_PASSED, _FAILED, _NOTHING_TO_DO = 0, 1, 5  # pytest.ExitCode
_LAST_FAILED = ("--lf", "--last-failed")


def main(arguments):
    """The exit code."""
    again = any(each in _LAST_FAILED for each in arguments)
    parts = [part for part in PARTS if not (again and _passed(part).exists())] or PARTS
    codes = dict.fromkeys(set(PARTS) - set(parts), _PASSED)
    SAID.parent.mkdir(exist_ok=True)
    with SAID.open("wb") as said:
        if BOARD in parts:
            board = _start(BOARD, arguments, stdout=said, stderr=subprocess.STDOUT)
            if again:
                _wait(board)
        if BESIDE in parts:
            codes[BESIDE] = _end(BESIDE, _start(BESIDE, arguments))
        if BOARD in parts:
            _say(f"on the board ({SAID})")
            codes[BOARD] = _end(BOARD, board)
            sys.stdout.write(SAID.read_text(encoding="utf-8", errors="replace"))
    if ALONE in parts:
        _say("by themselves, since they measure time")
        codes[ALONE] = _end(ALONE, _start(ALONE, arguments))
    return _together(codes.values())


def _say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _cache(part):
    return _CACHE / part


def _passed(part):
    return _cache(part) / "passed"


def _start(part, arguments, **streams):
    _passed(part).unlink(missing_ok=True)
    options = ["--xen", "--part", part, "-o", f"cache_dir={_cache(part)}"]
    return subprocess.Popen([sys.executable, "-m", "pytest", *options, *arguments], **streams)


def _end(part, process):
    """Waits for a part; its exit code."""
    code = _wait(process)
    if code in (_PASSED, _NOTHING_TO_DO):
        _cache(part).mkdir(parents=True, exist_ok=True)
        _passed(part).touch()
    elif code != _FAILED:
        shutil.rmtree(_cache(part), ignore_errors=True)  # it does not know of all that failed
    return code


def _wait(process):
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # pytest was told as well: it has fixtures to end, as the board
            continue


def _together(codes):
    """Nothing to do is no failure, unless it is so everywhere."""
    codes = set(codes)
    if codes == {_NOTHING_TO_DO}:
        return _NOTHING_TO_DO
    return max(abs(code) for code in codes - {_NOTHING_TO_DO})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
