# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from bench._measure import Pair, in_turns, spread
from bench._promises import PROMISES, Promise
from bench._report import of_pairs, of_value, write_report


def test_reference_and_candidate_take_turns_in_going_first():
    order = []
    in_turns(lambda: order.append("r") or 1.0, lambda: order.append("c") or 1.0, 3)
    assert "".join(order) == "rc" + "rc" + "cr" + "rc"


def test_the_first_round_does_not_count():
    values = iter([100.0, 100.0, 2.0, 1.0])
    assert in_turns(lambda: next(values), lambda: next(values), 1) == [Pair(2.0, 1.0)]


def test_spread_is_between_the_quartiles_beside_the_median():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert spread([7.0]) == 0.0


def test_the_ratio_is_the_median_of_the_pairs():
    result = of_pairs("x", "frames/s", [Pair(100, 99), Pair(50, 50), Pair(10, 5)], "plain")
    assert (result.value, result.reference, result.ratio) == (50, 50, 0.99)


@pytest.mark.parametrize(
    ("promise", "figures", "kept"),
    [
        (Promise("ratio", "≥", 0.98), (0.0, 0.0, 0.98), True),
        (Promise("ratio", "≥", 0.98), (0.0, 0.0, 0.979), False),
        (Promise("ratio", "≥", 0.98), (0.0, None, None), False),
        (Promise("difference", "≤", 20.0), (50.0, 30.0, None), True),
        (Promise("difference", "≤", 20.0), (50.0, 29.0, None), False),
        (Promise("value", "≤", 0.0), (0.0, None, None), True),
    ],
)
def test_promises(promise, figures, kept):
    assert promise.met(*figures) is kept


def test_what_was_not_promised_is_neither_met_nor_missed():
    assert of_value("call-grpc", "µs", 1.0).met is None


def test_report_is_a_list_with_the_promised_fields(tmp_path):
    path = tmp_path / "report.json"
    write_report([of_pairs("decode-480p", "frames/s", [Pair(2, 1)], "plain"), of_value("other", "s", 1.0)], path)
    first, second = json.loads(path.read_text())
    assert {"name", "value", "unit", "reference", "ratio", "promise", "met"} <= set(first) & set(second)
    assert (first["ratio"], first["promise"], first["met"]) == (0.5, "ratio ≥ 0.93", False)


def test_every_promise_has_a_benchmark():
    from bench.__main__ import _BENCHMARKS
    from bench.soak import ROLES

    measured = set(_BENCHMARKS) | {"idle-cpu", "idle-memory", "call-sleeping-one-cpu", "shares-off", "shares-jain"}
    measured |= {"limit-device-time", "limit-pictures"}
    measured |= {"xen-call-sleeping", "xen-call-spinning", "xen-decode", "xen-vicodec", "xen-grants"}
    measured |= {f"soak-{role.replace(' ', '-')}" for role in ROLES}
    assert set(PROMISES) <= measured
