# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.chaos``: a run as long as one likes, and its report. The same seed gives the same events."""

import argparse
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import report
from tests.chaos.run import WORLDS, Run

_BURN = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="how long streams are begun and parts killed, in each"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument(
        "--world", choices=[*WORLDS, "all"], default="all", help="xen: guests, on the fakes of Xen (%(default)s)"
    )
    parser.add_argument(
        "--load", type=int, default=0, help="processes beside it that only burn the processor (%(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("build/chaos"))
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}")
    names = WORLDS if arguments.world == "all" else [arguments.world]
    with _busy(arguments.load):
        return max([_run(name, arguments) for name in names])


@contextmanager
def _busy(count):
    """As on a busy machine: what is rare on a quiet one has its chance."""
    burning = [subprocess.Popen([sys.executable, "-c", _BURN, str(os.getpid())]) for _ in range(count)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def _run(name, arguments):
    """Plays one world; returns 1 if something was wrong."""
    world = WORLDS[name]
    say(f"world {name}")
    done = Run(world, seed=arguments.seed, seconds=arguments.seconds, say=say).run()
    for path in report.write(done, world.rows, arguments.output / name):
        say(path)
    for kind, outcomes in report.counts(done).items():
        say(f"{kind:18} " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    say(
        f"{len(done.lives)} streams, {len(done.hits)} events, {len(done.faults)} faults; left over: {done.left or 'nothing'}"
    )
    return 1 if done.faults or done.left else 0


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
