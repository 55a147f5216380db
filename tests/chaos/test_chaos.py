# SPDX-License-Identifier: Apache-2.0
"""Parts are killed at random while sixteen streams run: each is complete and right or ends as it may, and nothing is left.

``make chaos`` is the long run, with a seed of its own each time; this one is short, and always the same.
"""

import shutil

import pytest

from tests.chaos import report, streams
from tests.chaos.run import WORLDS, Run
from tests.chaos.schedule import Outcome
from tests.integration.backends import needs_root

SEEDS = {"host": 5404, "xen": 72336}
"""With which each kind of event has its turn in a short run."""


def long(*values):
    return pytest.param(*values, marks=[pytest.mark.long, pytest.mark.timeout(values[-1] + 600)])


@needs_root
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("world", "seconds"), [("host", 18), ("xen", 15), long("host", 600), long("xen", 600)])
def test_whatever_dies_the_rest_goes_on_and_nothing_is_left(world, seconds, tmp_path):
    if missing := [name for name in streams.NEEDED if not shutil.which(name)]:
        pytest.skip(f"there is no {' and no '.join(missing)} here: packaging/install-packages test")
    seed, rows = SEEDS[world], WORLDS[world].rows
    said = [f"seed {seed}"]
    done = Run(WORLDS[world], seed=seed, seconds=seconds, say=said.append).run()
    told = "\n".join(said)
    assert not done.faults, told
    assert not done.left, f"{told}\n{done.left}"
    assert sum(life.outcome is Outcome.COMPLETE for life in done.lives) >= len(streams.LANES) // 2, told
    assert {hit.event.name for hit in done.hits} == set(rows), told
    assert len(report.write(done, rows, tmp_path)) >= 1
