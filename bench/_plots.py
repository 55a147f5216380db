# SPDX-License-Identifier: Apache-2.0
"""The report as pictures: ratios with all their pairs, round trips on one scale, shares beside weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

from bench._promises import PROMISES

mpl.use("Agg")

from matplotlib import pyplot as plt

from bench.turns import draw_turns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bench._report import Result

__all__ = ["draw_plots"]

_OURS, _THEIRS, _LIMIT, _MISSED = "#0072b2", "#999999", "#d55e00", "#cc3311"


def draw_plots(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draws what there is; returns the files."""
    ratios = [result for result in results if result.pairs and result.unit == "frames/s"]
    calls = [result for result in results if result.name.startswith("call-")]
    drawn = []
    if ratios:
        drawn.append(_ratios(ratios, folder / "frames-per-second.png"))
    if calls:
        drawn.append(_calls(calls, folder / "round-trips.png"))
    drawn += [_turns(result, folder) for result in results if result.name.startswith("policy-")]
    drawn += [_shares(result, folder / "shares.png") for result in results if result.name == "shares-off"]
    films = [result for result in results if result.name.startswith("film-")]
    soaked = [result for result in results if result.name.startswith("soak-")]
    if soaked:
        drawn.append(_memory(soaked, folder / "soak.png"))
    if films:
        drawn.append(_lateness(films, folder / "film.png"))
    return drawn


def _ratios(results: Sequence[Result], path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.7 * len(results)), layout="constrained")
    for row, result in enumerate(reversed(results)):
        values = [pair.ratio for pair in result.pairs]
        axes.plot(values, [row] * len(values), "o", color=_OURS, alpha=0.35, markersize=6, markeredgewidth=0)
        color = _OURS if result.met is not False else _MISSED
        axes.plot([result.ratio or 0], [row], "|", color=color, markersize=26, markeredgewidth=3)
        promise = PROMISES.get(result.name)
        if promise:
            axes.plot([promise.limit], [row], "|", color=_LIMIT, markersize=18, markeredgewidth=1.5)
    axes.axvline(1.0, color=_THEIRS, linewidth=1)
    axes.set_yticks(range(len(results)), [f"{r.name}\n{r.value:.0f} frames/s" for r in reversed(results)])
    axes.set_xlabel(
        "frames per second ÷ those of what it is compared with, each pair and the median; orange: the promise"
    )
    return _save(figure, path)


def _calls(results: Sequence[Result], path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.5 * len(results)), layout="constrained")
    rows = range(len(results))
    ordered = sorted(results, key=lambda result: -result.value)
    colors = [_OURS if result.promise else _THEIRS for result in ordered]
    bars = axes.barh(rows, [result.value for result in ordered], color=colors)
    axes.bar_label(bars, [f" {result.value:.2f} µs" for result in ordered])
    for row, result in enumerate(ordered):
        if result.reference is not None:
            axes.plot([result.reference], [row], "|", color=_LIMIT, markersize=20, markeredgewidth=2)
    axes.set_yticks(rows, [result.name for result in ordered])
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.set_xlabel("a small call and its reply, µs (median); blue: paracore, orange: what that is compared with")
    return _save(figure, path)


def _lateness(results: Sequence[Result], path: Path) -> Path:
    """How many pictures were later than that: the film alone and beside its neighbours, a panel each."""
    count = len(results)
    figure, axes = plt.subplots(count, figsize=(9, 0.6 + 1.9 * count), layout="constrained", sharex=True, squeeze=False)
    for panel, result in zip(axes[:, 0], results, strict=True):
        for who, color in (("alone", _THEIRS), ("beside", _OURS)):
            late = result.samples[who]
            panel.plot(late, [max(100 - percent, 0.2) for percent in range(101)], color=color, label=who)
        if result.promise and result.reference is not None:
            panel.axvline(result.reference * PROMISES[result.name].limit, color=_LIMIT, linewidth=1.5)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_yticks([100, 10, 1], ["all", "10 %", "1 %"])
        panel.set_ylim(0.5, 100)
        ratio = f"{result.ratio:.2f} x alone" if result.ratio is not None else ""
        panel.set_title(f"{result.name}, policy {result.notes['policy']}: {ratio}", loc="left", fontsize=10)
    axes[0, 0].legend(frameon=False)
    axes[-1, 0].set_xlabel(
        "pictures that come later than so many ms after their unit was due; orange: the promise for one in a hundred"
    )
    return _save(figure, path)


def _shares(result: Result, path: Path) -> Path:
    """What each domain got beside what its weight says; below by how much that is off, which bars alone do not show."""
    used, weights = _numbers(result, "used_ms"), _numbers(result, "weights")
    got = [100 * each / sum(used) for each in used]
    due = [100 * each / sum(weights) for each in weights]
    figure, (parts, off) = plt.subplots(2, figsize=(9, 5), layout="constrained", sharex=True, height_ratios=(3, 1.4))
    _parts(parts, got, due)
    parts.set_title(
        f"{len(got)} greedy domains: the worst is {result.value:.2f} % off its part", loc="left", fontsize=10
    )
    _deviations(off, [100 * (part / whole - 1) for part, whole in zip(got, due, strict=True)])
    off.set_xticks(range(len(got)), [f"domain {row}\nweight {weight:g}" for row, weight in enumerate(weights, 1)])
    return _save(figure, path)


def _parts(axes: Axes, got: Sequence[float], due: Sequence[float]) -> None:
    axes.bar([row - 0.2 for row in range(len(due))], due, 0.38, color=_THEIRS, label="by its weight")
    measured = axes.bar([row + 0.2 for row in range(len(got))], got, 0.38, color=_OURS, label="measured")
    axes.bar_label(measured, [f"{part:.2f}" for part in got], fontsize=9)
    axes.set_ylabel("% of the device time")
    axes.legend(frameon=False)


def _deviations(axes: Axes, off: Sequence[float]) -> None:
    limit = PROMISES["shares-off"].limit
    axes.bar(range(len(off)), off, 0.5, color=[_OURS if abs(each) <= limit else _MISSED for each in off])
    for end in (-limit, limit):
        axes.axhline(end, color=_LIMIT, linewidth=1.5)
    axes.axhline(0, color=_THEIRS, linewidth=1)
    most = 1.25 * max(limit, *map(abs, off))
    axes.set_ylim(-most, most)
    axes.set_ylabel("% off its part\norange: the promise")


def _numbers(result: Result, note: str) -> list[float]:
    noted = result.notes[note]
    assert isinstance(noted, list)
    return [float(each) for each in noted]


def _memory(results: Sequence[Result], path: Path) -> Path:
    """What each process weighed, by cycles: a panel each, since they differ by more than they could grow."""
    figure, axes = plt.subplots(len(results), figsize=(9, 7), layout="constrained", sharex=True, squeeze=False)
    for panel, result in zip(axes[:, 0], results, strict=True):
        weights = result.samples["MiB"]
        panel.plot(result.samples["cycles"], weights, color=_OURS if result.met is not False else _MISSED)
        middle = weights[len(weights) // 2]
        panel.set_ylim(min(*weights, middle - 1), max(*weights, middle + 1))
        panel.set_title(f"{result.name}: {result.value:+.1f} KiB in a thousand cycles", loc="left", fontsize=10)
        panel.set_ylabel("MiB")
    axes[-1, 0].set_xlabel("times connected, decoded, closed; anonymous memory")
    return _save(figure, path)


def _turns(result: Result, folder: Path) -> Path:
    figure, axes = plt.subplots(figsize=(11, 3.3), layout="constrained")
    draw_turns(axes, result.name.removeprefix("policy-"))
    return _save(figure, folder / f"{result.name}.png")


def _save(figure: Figure, path: Path) -> Path:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
