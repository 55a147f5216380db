# SPDX-License-Identifier: Apache-2.0
import pytest

from paracore.cli._top import COLUMNS, Order, Row, _device_text, _octets
from paracore.cli._usage import DeviceUsage, Rates, Usage, devices_of, rates_of, usages_of

NONE = dict.fromkeys(
    (
        *("inputs", "outputs", "errors", "octets_in", "octets_out"),
        *("copies", "refused", "sessions_failed", "throttled_ms"),
    ),
    0,
)
STATUS = {
    "devices": [
        {"name": "vpu0", "power": "on", "hangs": 2, "resets": 1},
        {"name": "vpu1", "power": "unsupported", "hangs": 0, "resets": 0},
    ],
    "domains": [
        {
            "name": "alpha",
            "held": {"connections": 1, "channels": 1, "buffers": 2, "bytes": 4096},
            "violations": 1,
            "workers_lost": 2,
            "time": {
                "vpu0": {"used_ms": 1400, "waited_ms": 250, "turns": 3},
                "vpu1": {"used_ms": 100, "waited_ms": 0, "turns": 1},
            },
            "counts": {
                "inputs": 50,
                "outputs": 49,
                "errors": 6,
                "octets_in": 7000,
                "octets_out": 80000,
                "copies": 3,
                "refused": 4,
                "sessions_failed": 5,
                "throttled_ms": 750,
            },
            "worker": {"pid": 7, "report": {"sessions": 1}},
        },
        {
            "name": "beta",
            "held": {"connections": 0, "channels": 0, "buffers": 0, "bytes": 0},
            "violations": 0,
            "workers_lost": 0,
            "time": {},
            "counts": NONE,
            "worker": None,
        },
        {
            "name": "gamma",
            "held": {"connections": 1, "channels": 1, "buffers": 0, "bytes": 0},
            "violations": 0,
            "workers_lost": 0,
            "time": {"vpu0": {"used_ms": 10, "waited_ms": 0, "turns": 1}},
            "counts": NONE | {"outputs": 8},
            "worker": {"pid": 9, "report": None},
        },
    ],
}
NOTHING = Usage("beta", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0)


def test_usages():
    """Also of a domain without a worker, and of a worker that says nothing."""
    alpha, beta, gamma = usages_of(STATUS)
    assert alpha == Usage("alpha", 7, 1, 2, 4096, 50, 49, 6, 7000, 80000, 1.5, 0.25, 0.75, 3, 4, 5, 1, 2)
    assert beta == NOTHING
    assert (gamma.worker, gamma.sessions, gamma.device_seconds, gamma.pictures) == (9, 0, 0.01, 8)


def test_devices():
    assert devices_of(STATUS) == [DeviceUsage("vpu0", "on", 2, 1), DeviceUsage("vpu1", "unsupported", 0, 0)]
    assert [_device_text(device) for device in devices_of(STATUS)] == [
        "vpu0: on, 2 hangs, 1 resets",
        "vpu1: unsupported",
    ]


def usage(**changed):
    alpha = usages_of(STATUS)[0]
    return Usage(**{name: changed.get(name, getattr(alpha, name)) for name in alpha.__dataclass_fields__})


def test_rates():
    after = usage(device_seconds=2.5, units=70, pictures=79)
    assert rates_of(usage(), after, 2.0) == Rates(device=0.5, units=10.0, pictures=15.0)
    assert rates_of(usage(worker=6), after, 2.0).units == 10, "counts go on with the next worker"


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (None, usage(), 1.0),
        (usage(), usage(pictures=0, units=0, device_seconds=0.0), 1.0),
        (usage(), usage(pictures=500), 0.0),
    ],
    ids=["a new domain", "a backend that began anew", "no time"],
)
def test_no_rates(before, after, seconds):
    assert rates_of(before, after, seconds) == Rates(0.0, 0.0, 0.0)


def row(name, device, sessions=0):
    return Row(usage(domain=name, sessions=sessions), Rates(device, 0.0, 0.0))


def names(order, rows):
    return [each.usage.domain for each in order.sort(rows)]


def test_order():
    rows = [row("b", 0.5), row("c", 0.9), row("a", 0.5)]
    order = Order([column.name for column in COLUMNS].index("device"))
    assert names(order, rows) == ["c", "a", "b"]
    assert order.key("r")
    assert names(order, rows)[-1] == "c"
    assert not order.key("q")


def test_each_column_can_be_sorted_by_and_shown():
    rows = [row("b", 0.5, 1), row("a", 0.25, 2)]
    order = Order(0)
    for column in COLUMNS:
        assert COLUMNS[order.column] is column
        assert len(order.sort(rows)) == 2
        assert all(column.text(each) for each in rows)
        assert order.key("s")
    assert order.column == 0
    assert names(order, rows) == ["a", "b"]


@pytest.mark.parametrize(
    ("octets", "text"), [(0, "0"), (1023, "1023"), (2048, "2K"), (59 << 20, "59M"), (3 << 29, "1.5G")]
)
def test_octets(octets, text):
    assert _octets(octets) == text
