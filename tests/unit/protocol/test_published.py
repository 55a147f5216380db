# SPDX-License-Identifier: Apache-2.0
"""What the nodes of a device may say: whatever stands there, it is typed or it is the peer's fault."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore import LocalProtocolError, RemoteProtocolError
from paracore.protocol import (
    NODES,
    PAGE_SIZE,
    PROTOCOL_VERSION,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    Attachment,
    BackendNodes,
    FrontendNodes,
    backend_path,
    device_of_path,
    drain_seconds,
    frontend_path,
)

FRONTEND = FrontendNodes(version=1, ring_reference=8, port=5, ring_order=2)
BACKEND = BackendNodes(versions=(1, 2), error="no such device")
ATTACHMENT = Attachment(frontend_path(3), 3, ("vpu0", "gpu0"), name="guest", weight=200, max_bytes=1 << 40)
ALL = [FRONTEND, BACKEND, ATTACHMENT]

HOSTILE = [
    "",
    " ",
    "-1",
    "+1",
    "01",
    "1 ",
    " 1",
    "1\n",
    "1\0",
    "0x1",
    "1.0",
    "1e3",
    "\u0661",
    "\uff11",
    "a" * 4096,
    "9" * 21,
]


@pytest.mark.parametrize("said", ALL, ids=lambda said: type(said).__name__)
def test_what_is_written_is_read_again(said):
    values = said.values()
    assert set(values) <= set(said.names())
    assert type(said).parse(values) == said


@pytest.mark.parametrize("said", ALL, ids=lambda said: type(said).__name__)
def test_what_is_missing_has_its_default_or_is_missed(said):
    directory = "frontend" if said is FRONTEND else "backend"
    for node in NODES[directory]:
        if node.name in said.names():
            values = said.values() | {node.name: None}
            if node.default is None:
                with pytest.raises(RemoteProtocolError, match=f"node {node.name} is missing"):
                    type(said).parse(values)
            else:
                type(said).parse(values)


def test_the_defaults_are_those_of_the_table():
    values = {"frontend": frontend_path(3), "frontend-id": "3", "devices": "vpu0"}
    assert Attachment.parse(values) == Attachment(frontend_path(3), 3, ("vpu0",))
    assert FrontendNodes.parse({"version": "1", "ring-ref": "8", "event-channel": "5"}) == FRONTEND


@pytest.mark.parametrize("said", ALL, ids=lambda said: type(said).__name__)
@pytest.mark.parametrize("value", HOSTILE)
def test_what_cannot_be_is_the_peers_fault(said, value):
    for name in said.names():
        if name in {"name", "devices"} and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.]{0,30}", value):
            continue  # is a name
        if name == "error" and re.fullmatch(r"[ -~]{1,200}", value):
            continue  # are words
        with pytest.raises(RemoteProtocolError, match=f"node {name} ") as caught:
            type(said).parse(said.values() | {name: value})
        assert len(str(caught.value)) < 200
        assert str(caught.value).isascii() or "…" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        (FRONTEND, "ring-ref", "0"),
        (FRONTEND, "ring-ref", str(1 << 32)),
        (FRONTEND, "ring-order", "1"),
        (FRONTEND, "ring-order", "9"),
        (FRONTEND, "event-channel", "0"),
        (FRONTEND, "event-channel", str(1 << 17)),
        (FRONTEND, "version", "0"),
        (BACKEND, "versions", "2,1"),
        (BACKEND, "versions", "1,1"),
        (BACKEND, "versions", "1,"),
        (BACKEND, "versions", ",".join(map(str, range(1, 18)))),
        (BACKEND, "versions", "65536"),
        (ATTACHMENT, "frontend", "/local/domain/3/../4"),
        (ATTACHMENT, "frontend", "device/paracore/0"),
        (ATTACHMENT, "frontend-id", "32752"),
        (ATTACHMENT, "devices", "vpu0,vpu0"),
        (ATTACHMENT, "devices", "vpu0,"),
        (ATTACHMENT, "devices", "../vpu0"),
        (ATTACHMENT, "devices", ",".join(f"vpu{number}" for number in range(17))),
        (ATTACHMENT, "online", "2"),
        (ATTACHMENT, "weight", "0"),
        (ATTACHMENT, "max-sessions", "513"),
        (ATTACHMENT, "name", "x" * 32),
    ],
)
def test_bounds(said, name, value):
    with pytest.raises(RemoteProtocolError, match=f"node {name} holds"):
        type(said).parse(said.values() | {name: value})


@given(
    st.sampled_from(ALL),
    st.dictionaries(st.sampled_from([n.name for d in NODES.values() for n in d]), st.text() | st.none()),
)
def test_any_values_are_typed_or_the_peers_fault(said, values):
    try:
        parsed = type(said).parse(said.values() | values)
    except RemoteProtocolError:
        return
    assert type(said).parse(parsed.values()) == parsed


def test_what_is_wrong_here_is_our_fault():
    for wrong in (FRONTEND._replace(port=0), BACKEND._replace(versions=()), ATTACHMENT._replace(devices=("a b",))):
        with pytest.raises(LocalProtocolError, match="node"):
            wrong.values()


def test_the_newest_common_version_is_chosen():
    assert BACKEND.choose((2, 3)) == 2
    assert BACKEND.choose((1,)) == 1
    with pytest.raises(RemoteProtocolError):
        BACKEND.choose((3,))


def test_where_devices_are():
    assert frontend_path(3) == "/local/domain/3/device/paracore/0"
    assert backend_path(0, 3, 1) == "/local/domain/0/backend/paracore/3/1"
    for path in (backend_path(0, 3, 1), f"{backend_path(0, 3, 1)}/state", "backend/paracore/3/1/a/b"):
        assert device_of_path(path) == (3, 1)
    for path in ("backend/paracore", "backend/paracore/3", "backend/paracore/x/0", "backend/vbd/3/0", frontend_path(3)):
        assert device_of_path(path) is None


def test_the_table_stands_alone_and_agrees_with_the_wire():
    nodes = {node.name: node for node in NODES["frontend"]}
    assert nodes["ring-order"].values == (RING_ORDER_MIN, RING_ORDER_MAX)
    assert 2**RING_ORDER_MAX + 1 <= PAGE_SIZE // 4 - 1  # one directory page names them
    assert nodes["version"].values.high >= PROTOCOL_VERSION


def test_the_limits_are_those_of_the_configuration():
    from paracore.backend._config import _MOST, Limits

    nodes = {node.name: node for node in NODES["backend"]}
    for name, most in _MOST.items():
        node = nodes[f"max-{name}"]
        assert node.values == (1, most)
        assert (
            int(node.default)
            == getattr(Limits(), name)
            == getattr(ATTACHMENT._replace(max_bytes=2 << 30), f"max_{name}")
        )


def test_each_node_says_what_it_may_hold():
    for nodes in NODES.values():
        for node in nodes:
            assert str(node.values)
            assert node.note.endswith(".")


@pytest.mark.parametrize(("value", "seconds"), [(None, 0), ("30", 30), ("3601", 0), ("-1", 0), ("soon", 0)])
def test_streams_have_the_time_that_the_node_says(value, seconds):
    """What cannot be is as good as none: the detach goes on."""
    assert drain_seconds(value) == seconds
