# SPDX-License-Identifier: Apache-2.0
from paracore.cli._list import _lines

CODECS = [
    {
        "codec": "h264",
        "direction": "decode",
        "width_max": 4096,
        "height_max": 2304,
        "pixel_formats": ["yuv420p"],
        "controls": [],
    },
    {
        "codec": "vp9",
        "direction": "decode",
        "width_max": 64,
        "height_max": 64,
        "pixel_formats": ["gray"],
        "controls": [],
    },
    {
        "codec": "h264",
        "direction": "encode",
        "width_max": 64,
        "height_max": 64,
        "pixel_formats": ["nv12"],
        "controls": ["gop"],
    },
]
SESSION = {
    "session": 2,
    "device": "vpu0",
    "direction": "decode",
    "codec": "h264",
    "state": "running",
    "inputs_done": 9,
    "outputs_ready": 7,
    "errors": 1,
    "octets_in": 5 << 10,
    "octets_out": 3 << 20,
    "device_ms": 1260,
    "waited_ms": 40,
}
STATUS = {
    "pid": 7,
    "socket": "/run/x",
    "devices": [{"name": "vpu0", "driver": "libav", "codecs": CODECS}],
    "domains": [
        {
            "name": "web",
            "identities": ["uid:1000"],
            "limits": {"channels": 4, "sessions": 8, "bytes": 1 << 30},
            "held": {"channels": 1, "bytes": 3 << 20},
            "worker": {"pid": 9, "report": {"sessions": 1, "channels": [{"channel": 5, "sessions": [SESSION]}]}},
        },
        {"name": "idle", "limits": {"channels": 4}, "worker": None},
        {"name": "mute", "limits": {"channels": 4}, "held": {"channels": 0}, "worker": {"pid": 9, "report": None}},
    ],
}


def test_for_a_person():
    assert list(_lines(STATUS, codecs=False)) == [
        "backend at /run/x, process 7",
        "device vpu0 (libav)",
        "  decode  h264 vp9",
        "  encode  h264",
        "domain web (uid:1000)",
        "  channels 1 of 4, sessions 1 of 8, bytes 3 MiB of 1 GiB",
        "  session 5.2  vpu0 decode h264, running: 9 in (5 KiB), 7 out (3 MiB), 1 errors, device 1.3 s, waited 0.0 s",
        "domain idle",
        "  channels up to 4",
        "domain mute",
        "  channels 0 of 4",
    ]


def test_sessions_that_a_report_has_no_room_for():
    domain = STATUS["domains"][0]
    worker = {"pid": 9, "report": {"sessions": 500, "truncated": 40, "channels": []}}
    lines = list(_lines({"devices": [], "domains": [{**domain, "worker": worker}]}, codecs=False))
    assert lines[-1] == "  40 more sessions, for which its worker's report has no room"


def test_power_and_hangs_of_a_device():
    device = {**STATUS["devices"][0], "power": "suspended", "hangs": 0, "resets": 0}
    status = {"devices": [device, {**device, "power": "unsupported", "hangs": 3, "resets": 1}], "domains": []}
    lines = [line for line in _lines(status, codecs=False) if line.startswith("device")]
    assert lines == [
        "device vpu0 (libav), suspended",
        "device vpu0 (libav), power unmanaged, hung 3 times, reset 1 times",
    ]


def test_with_codecs():
    lines = list(_lines(STATUS, codecs=True))
    assert lines[2:5] == ["  decode h264, up to 4096x2304", "    formats   yuv420p", "    controls  "]
