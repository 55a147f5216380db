# SPDX-License-Identifier: Apache-2.0
"""What a run of chaos leaves behind: JSON, and a timeline of its streams with what was killed."""

import json
from collections import Counter
from math import ceil

from tests.chaos.schedule import Kind, Outcome, Reach
from tests.chaos.streams import LANES

COLORS = {
    Outcome.COMPLETE: "#0072b2",
    Outcome.KILLED: "#999999",
    Outcome.ENDED: "#e69f00",
    Outcome.WRONG: "#cc3311",
    Outcome.HUNG: "#cc3311",
}
PANEL = 120
"""Seconds of a run that stand side by side."""
MARKS = ("v", "X", "D", "s", "P", "o", "^", "*")


def counts(report):
    """How many streams of each kind ended how."""
    return {kind: dict(Counter(life.outcome for life in report.lives if life.kind is kind)) for kind in Kind}


def facts(report):
    """As JSON has it."""
    return {
        "seed": report.seed,
        "seconds": report.seconds,
        "streams": len(report.lives),
        "pictures": sum(life.pictures for life in report.lives),
        "outcomes": counts(report),
        "events": Counter(hit.event.name for hit in report.hits),
        "faults": [{"why": why, **life._asdict()} for life, why in report.faults],
        "left": report.left,
        "lives": [life._asdict() for life in report.lives],
        "hits": [{**hit.event._asdict(), "began": hit.began, "ended": hit.ended} for hit in report.hits],
        "missed": [event._asdict() for event in report.missed],
    }


def write(report, rows, folder):
    """Writes what there is to write; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"chaos-{report.seed}.json"
    path.write_text(json.dumps(facts(report), indent=1) + "\n")
    return [path, *draw(report, rows, folder / f"chaos-{report.seed}.png")]


def draw(report, rows, path):
    """A row for each lane: its streams by outcome, and the events that met it."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []  # `make chaos` installs it
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    whole = max([report.seconds, *(life.ended for life in report.lives)])
    count = ceil(whole / PANEL)
    figure, panels = plt.subplots(count, figsize=(14, 1 + 4 * count), layout="constrained", squeeze=False)
    for number, axes in enumerate(panels[:, 0]):
        _panel(axes, report, rows, (number * PANEL, min(whole, (number + 1) * PANEL)))
    bars = [plt.Rectangle((0, 0), 1, 1, color=color) for color in list(COLORS.values())[:4]]
    shown = [*(str(outcome) for outcome in list(COLORS)[:3]), "wrong, or hung"]
    handles, names = axes.get_legend_handles_labels()
    figure.legend([*bars, *handles], [*shown, *names], ncols=5, loc="outside lower center", frameon=False)
    figure.suptitle(
        f"seed {report.seed}: {len(report.lives)} streams, {len(report.hits)} events, {len(report.faults)} faults"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [path]


def _panel(axes, report, rows, span):
    """The streams and events of these seconds."""
    began, ended = span
    for life in report.lives:
        if life.ended >= began and life.began <= ended:
            color = COLORS[life.outcome]
            axes.barh(life.lane, life.ended - life.began, left=life.began, height=0.62, color=color, ec="white")
    for mark, (name, row) in zip(MARKS, rows.items(), strict=False):
        hits = [hit for hit in report.hits if hit.event.name == name]
        places = [(hit.began, lane) for hit in hits for lane in _lanes(hit, row)]
        axes.plot(*(zip(*places, strict=True) if places else ([], [])), mark, color="black", ms=4, label=name, mew=0)
        for hit in hits if row.reach is Reach.ALL else []:
            axes.axvspan(hit.began, hit.ended, color="#00000018", lw=0)
    axes.set_yticks(range(len(LANES)), [f"{kind} {codec}" for kind, codec in LANES], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlim(*span)
    axes.set_xlabel("s")
    axes.spines[["top", "right"]].set_visible(False)


def _lanes(hit, row):
    target = hit.event.target
    return {Reach.LANE: [target], Reach.DOMAIN: [2 * target, 2 * target + 1], Reach.ALL: [-0.8]}[row.reach]
