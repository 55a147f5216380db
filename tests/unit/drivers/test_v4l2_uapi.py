# SPDX-License-Identifier: Apache-2.0
"""The layouts and numbers of V4L2 are those of the kernel's header, as a C compiler sees it."""

import ctypes
import inspect
import shutil
import subprocess
from enum import IntEnum
from pathlib import Path

import pytest

from paracore.drivers.v4l2 import _uapi

HEADER = Path("/usr/include/linux/videodev2.h")
STRUCTS = [each for _, each in inspect.getmembers(_uapi, inspect.isclass) if "C" in vars(each)]
RENAMED = {
    ("v4l2_decoder_cmd", "raw"): "raw.data",
    ("v4l2_encoder_cmd", "raw"): "raw.data",
    ("v4l2_frmsizeenum", "size"): "discrete",
}
NUMBERS = [
    each
    for _, each in inspect.getmembers(_uapi, inspect.isclass)
    if (each.__doc__ or "").startswith("Behind V4L2_") and not each.__name__.startswith("_")
]

pytestmark = pytest.mark.skipif(
    not HEADER.exists() or not shutil.which("cc"), reason="needs linux-libc-dev and a C compiler"
)


def printed(tmp_path, expressions):
    """The value of each C expression."""
    lines = "\n".join(f'printf("%lld\\n", (long long)({each}));' for each in expressions)
    source = tmp_path / "print.c"
    source.write_text(
        f"#include <stddef.h>\n#include <stdio.h>\n#include <linux/videodev2.h>\nint main(void) {{ {lines} return 0; }}\n"
    )
    subprocess.run(["cc", "-o", tmp_path / "print", source], check=True)
    said = subprocess.run([tmp_path / "print"], check=True, capture_output=True, text=True).stdout
    return dict(zip(expressions, map(int, said.split()), strict=True))


def test_layouts(tmp_path):
    ours = {}
    for struct in STRUCTS:
        ours[f"sizeof(struct {struct.C})"] = ctypes.sizeof(struct)
        for name, *_ in struct._fields_:
            field = RENAMED.get((struct.C, name), name)
            ours[f"offsetof(struct {struct.C}, {field})"] = getattr(struct, name).offset
    assert ours == printed(tmp_path, list(ours))


def test_requests(tmp_path):
    ours = {f"VIDIOC_{request.name}": request.value for request in _uapi.Request}
    assert ours == printed(tmp_path, list(ours))


def test_numbers(tmp_path):
    assert len(NUMBERS) >= 12
    ours = {"VIDEO_MAX_FRAME": _uapi.BUFFERS_MAX, "VIDEO_MAX_PLANES": _uapi.PLANES_MAX}
    for numbers in NUMBERS:
        prefixes = [word.rstrip(".,:") for word in numbers.__doc__.split() if word.startswith("V4L2_")]
        ours |= {f"{prefix}{each.name}": each.value for prefix in prefixes for each in numbers}
    assert ours == printed(tmp_path, list(ours))
    assert all(issubclass(numbers, IntEnum) or numbers.__name__.endswith(("Flag", "Capability")) for numbers in NUMBERS)


def test_arms_of_unions(tmp_path):
    ours = {
        "offsetof(struct v4l2_format, fmt.pix_mp.plane_fmt)": _uapi.Format.fmt.offset
        + _uapi.PixFormatPlanes.plane_fmt.offset,
        "offsetof(struct v4l2_event, u.src_change.changes)": _uapi.Event.u.offset,
        "offsetof(struct v4l2_streamparm, parm.output.timeperframe)": _uapi.StreamParameters.parm.offset + 8,
        "offsetof(struct v4l2_frmsizeenum, stepwise.max_height)": _uapi.FrameSize.size.offset + 16,
        "offsetof(struct v4l2_buffer, timestamp.tv_usec)": _uapi.Buffer.timestamp.offset + 8,
    }
    assert ours == printed(tmp_path, list(ours))
