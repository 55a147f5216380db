# SPDX-License-Identifier: Apache-2.0
"""One result, and the report they make together."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench._measure import Pair, median, spread
from bench._promises import PROMISES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Result", "of_pairs", "of_value", "write_report"]


@dataclass(frozen=True)
class Result:
    """A figure and what it is to be compared with.

    Attributes:
        name: of the benchmark, and of its promise if there is one.
        reference: the same quantity without paracore, None when there is none.
        ratio: median of the pairs' ratios, None without a reference.
        against: what the reference is, in words.
        pairs: all measurements.
        whole: whether it was measured at the length that the promise is about; a shortened one is not judged.
        samples: single measurements, or hundredths of them, for the plots.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    against: str = ""
    pairs: Sequence[Pair] = ()
    whole: bool = True
    notes: dict[str, object] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None when nothing was promised of such a measurement."""
        promise = PROMISES.get(self.name)
        return promise.met(self.value, self.reference, self.ratio) if promise and self.whole else None

    @property
    def promise(self) -> str | None:
        """The promise in words."""
        promise = PROMISES.get(self.name)
        return str(promise) if promise else None

    def facts(self) -> dict[str, object]:
        """As it stands in the report."""
        return (
            {
                "name": self.name,
                "value": _rounded(self.value),
                "unit": self.unit,
                "reference": _rounded(self.reference),
                "ratio": _rounded(self.ratio),
                "promise": self.promise,
                "met": self.met,
                "against": self.against,
                "spread": _rounded(spread([pair.ratio for pair in self.pairs])),
                "reference_spread": _rounded(spread([pair.reference for pair in self.pairs])),
                "pairs": [[_rounded(pair.reference), _rounded(pair.value)] for pair in self.pairs],
            }
            | self.notes
            | ({"samples": self.samples} if self.samples else {})
        )


def of_pairs(
    name: str, unit: str, pairs: Sequence[Pair], against: str, *, whole: bool = True, **notes: object
) -> Result:
    """The result of measurements in turns: medians."""
    value = median([pair.value for pair in pairs])
    reference = median([pair.reference for pair in pairs])
    ratio = median([pair.ratio for pair in pairs])
    return Result(name, value, unit, reference, ratio, against, pairs, whole, notes)


def of_value(name: str, unit: str, value: float, **notes: object) -> Result:
    """A result without a reference."""
    return Result(name, value, unit, notes=notes)


def write_report(results: Sequence[Result], path: Path) -> None:
    """Writes all results as a JSON list."""
    path.write_text(json.dumps([result.facts() for result in results], indent=2) + "\n", encoding="utf-8")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
