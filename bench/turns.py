# SPDX-License-Identifier: Apache-2.0
"""Draws who has a device when, by each policy, as the guide on sharing shows it: ``python -m bench.turns OUT.png``.

Of ``bench.policies``: on a virtual clock, so that the picture is the same on every machine. Its comment says of what it is,
by which the tests know whether the guide's is current.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from bench.policies import digest, late, scene
from paracore.backend._policies import POLICIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_turns"]

_LANES: Final = ("#0072b2", "#009e73", "#cc79a7", "#e69f00")
_PART: Final = "#d55e00"


def draw_turns(axes: Axes, policy: str) -> None:
    """A row for each domain, one for each unit of work beside the last."""
    device = scene(policy)
    names = list(device.domains)
    for row, name in enumerate(reversed(names)):
        spans = [(span.began / 1e6, (span.ended - span.began) / 1e6) for span in device.spans if span.name == name]
        axes.broken_barh(spans, (row - 0.36, 0.72), facecolor=_LANES[names.index(name)])
        axes.text(2010, row, f"{sum(length for _, length in spans) / 20:.0f} %", va="center", color=_PART)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_xlim(0, 2000)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"{policy}: the film's pictures are there within {late(device):.0f} ms (p99)", loc="left", fontsize=10
    )
    axes.set_xlabel("ms; one domain at a time has the device, at the right its part of the two seconds")


def main() -> None:
    """Draws all of them below each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    panels = Figure(figsize=(11, 3.0 * len(POLICIES)), layout="constrained")
    for axes, policy in zip(panels.subplots(len(POLICIES)), POLICIES, strict=True):
        draw_turns(axes, policy)
        axes.label_outer()
    panels.savefig(parser.parse_args().output, dpi=80, metadata={"Comment": digest()})


if __name__ == "__main__":
    main()
