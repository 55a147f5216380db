# SPDX-License-Identifier: Apache-2.0
"""``paracore metrics``: the backend's account for Prometheus, printed or served.

A process of its own, so that the supervisor need not speak HTTP. Whoever may scrape learns the names of domains and what
they use, so it listens on the loopback interface or on a Unix socket, whose folder says who may.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError, TransportError
from paracore.cli._options import add_file, positive
from paracore.cli._usage import DeviceUsage, Usage, devices_of, usages_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

NAME = "metrics"
SUMMARY = "print or serve what domains use, for Prometheus"
EXAMPLES = """
  paracore metrics                           once, as for node_exporter's textfile collector
  paracore metrics --port 9469               http://127.0.0.1:9469/metrics, until it is ended
  paracore metrics --listen /run/paracore/metrics.sock
"""


class _Kind(NamedTuple):
    """One metric: a field of ``Usage``, its name, and its help."""

    field: str
    name: str
    text: str
    counts: bool


_KINDS = (
    _Kind("sessions", "sessions", "Sessions that are open.", counts=False),
    _Kind("buffers", "buffers", "Buffers that are granted.", counts=False),
    _Kind("octets", "memory_bytes", "Memory that is granted.", counts=False),
    _Kind("units", "units", "Inputs that were worked off.", counts=True),
    _Kind("pictures", "pictures", "Outputs that came back: pictures, packets of encoders.", counts=True),
    _Kind("errors", "failed_units", "Inputs that came back with an error.", counts=True),
    _Kind("octets_in", "input_bytes", "Octets of the inputs.", counts=True),
    _Kind("octets_out", "output_bytes", "Octets of the outputs.", counts=True),
    _Kind("device_seconds", "device_seconds", "Time of the devices that was used.", counts=True),
    _Kind("waited_seconds", "waited_seconds", "Time that passed until a device was to be had.", counts=True),
    _Kind(
        "throttled_seconds", "throttled_seconds", "Time during which the domain's own rates kept units.", counts=True
    ),
    _Kind("copies", "copies", "Pictures whose pixels had to be copied.", counts=True),
    _Kind("refused", "refused_calls", "Calls that were refused.", counts=True),
    _Kind("failed", "failed_sessions", "Sessions that ended with an error.", counts=True),
    _Kind("violations", "violations", "Breaks of the protocol.", counts=True),
    _Kind("workers_lost", "workers_lost", "Workers that died under the domain.", counts=True),
)

_DEVICE_KINDS = (
    _Kind("hangs", "hangs", "Jobs that were not done by their deadline.", counts=True),
    _Kind("resets", "resets", "Resets of the device after a second hang.", counts=True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares options."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=positive, metavar="N", help="serve on this port of the loopback interface")
    add_file(where, "--listen", metavar="SOCKET", help="serve on this Unix socket")
    add_file(parser, "--address", metavar="SOCKET", help="the backend's (default: $PARACORE_SOCKET, else the system's)")


def run(arguments: argparse.Namespace) -> None:
    """Prints once, or serves until it is ended."""
    from paracore.frontend import default_address  # noqa: PLC0415 - needs the native library

    registry = _registry(arguments.address or default_address())
    if arguments.port or arguments.listen:
        from paracore.cli._scrape import serve  # noqa: PLC0415 - loads an HTTP server

        serve(registry, arguments.port or arguments.listen)
        return
    from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

    sys.stdout.write(generate_latest(registry).decode())


def _registry(address: str) -> CollectorRegistry:
    """What asks the backend at each scrape."""
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an extra
        from prometheus_client.registry import Collector  # noqa: PLC0415
    except ImportError:
        raise ConfigError("metrics", "prometheus_client is not installed: pip install 'paracore[metrics]'") from None
    from paracore.frontend import backend_status  # noqa: PLC0415 - as above

    class Account(Collector):
        def collect(self) -> Iterator[Metric]:
            try:
                status = backend_status(address)
            except TransportError:
                yield from metrics_of(None)
            else:
                yield from metrics_of(usages_of(status))
                yield from device_metrics_of(devices_of(status))

    registry = CollectorRegistry()
    registry.register(Account())
    return registry


def device_metrics_of(devices: list[DeviceUsage]) -> Iterator[Metric]:
    """Those that are labelled with the devices; of a power that nobody knows there is none."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

    for kind in _DEVICE_KINDS:
        counter = CounterMetricFamily(f"paracore_device_{kind.name}", kind.text, labels=["device"])
        for device in devices:
            counter.add_metric([device.device], getattr(device, kind.field))
        yield counter
    awake = GaugeMetricFamily("paracore_device_awake", "Whether it is powered.", labels=["device"])
    for device in devices:
        if device.power != "unsupported":
            awake.add_metric([device.device], device.power in {"on", "active"})
    yield awake


def metrics_of(usages: list[Usage] | None) -> Iterator[Metric]:
    """One for each kind, labelled with the domains; without a backend only that there is none."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

    yield GaugeMetricFamily("paracore_up", "Whether the backend answers.", value=float(usages is not None))
    for kind in _KINDS if usages is not None else ():
        family = CounterMetricFamily if kind.counts else GaugeMetricFamily
        metric = family(f"paracore_domain_{kind.name}", kind.text, labels=["domain"])
        for usage in usages or ():
            metric.add_metric([usage.domain], getattr(usage, kind.field))
        yield metric
