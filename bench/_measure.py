# SPDX-License-Identifier: Apache-2.0
"""Pairs of measurements in turns, and what they say.

A machine drifts and hiccups: reference and candidate are measured alternately, each pair gives one ratio, and
the median of the ratios is what counts. Which of the two goes first alternates as well.
"""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Pair", "in_turns", "median", "spread"]


class Pair(NamedTuple):
    """One measurement of each, in the same unit."""

    reference: float
    value: float

    @property
    def ratio(self) -> float:
        """The value in units of the reference."""
        return self.value / self.reference


def in_turns(reference: Callable[[], float], candidate: Callable[[], float], pairs: int) -> list[Pair]:
    """Measures both ``pairs`` times after one round that does not count."""
    reference()
    candidate()
    return [_pair(reference, candidate, reference_first=number % 2 == 0) for number in range(pairs)]


def _pair(reference: Callable[[], float], candidate: Callable[[], float], *, reference_first: bool) -> Pair:
    if reference_first:
        before = reference()
        return Pair(before, candidate())
    value = candidate()
    return Pair(reference(), value)


def spread(values: Sequence[float]) -> float:
    """The distance between the quartiles as a part of the median; 0 for fewer than two values."""
    if len(values) < 2 or not median(values):
        return 0.0
    low, _, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / abs(median(values))
