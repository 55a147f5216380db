# SPDX-License-Identifier: Apache-2.0
"""The environment in which unmodified programs find the devices, and the files that it points to.

The shims are put before a program's libraries (``LD_PRELOAD``) or are named in a configuration that it reads
(gst-omx). Files are named after their content, so that programs of several backends do not disturb each other.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import ConfigError
from paracore.cli._exit import UsageError
from paracore.cli._options import rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    import paracore

__all__ = [
    "APIS",
    "ON_LOSS",
    "PLANES",
    "Environment",
    "add_api_option",
    "add_wish_options",
    "cache_folder",
    "chosen_apis",
    "environment_for",
    "shim",
    "static_runner",
    "wishes_of",
]

#: What programs may ask for, in the order of the help.
APIS = ("v4l2", "omx")

#: V4L2's two: a node speaks one of them.
PLANES = ("single", "multi")

#: What a program's sessions do when their worker dies.
ON_LOSS = ("recover", "fail")

#: By which the shims are told.
_PLANES, _ON_LOSS, _RATE = "PARACORE_V4L2_PLANES", "PARACORE_ON_LOSS", "PARACORE_RATE"

_NATIVE = Path(__file__).resolve().parents[1] / "_native"

#: Of gst-omx: codec, direction; the section, the type that it is made of, the role of the component.
_GST_OMX: dict[tuple[str, str], tuple[str, str, str]] = {
    ("h264", "decode"): ("omxh264dec", "GstOMXH264Dec", "video_decoder.avc"),
    ("hevc", "decode"): ("omxh265dec", "GstOMXH265Dec", "video_decoder.hevc"),
    ("vp8", "decode"): ("omxvp8dec", "GstOMXVP8Dec", "video_decoder.vp8"),
    ("mpeg2", "decode"): ("omxmpeg2videodec", "GstOMXMPEG2VideoDec", "video_decoder.mpeg2"),
    ("mpeg4", "decode"): ("omxmpeg4videodec", "GstOMXMPEG4VideoDec", "video_decoder.mpeg4"),
    ("mjpeg", "decode"): ("omxmjpegdec", "GstOMXMJPEGDec", "video_decoder.mjpeg"),
    ("h264", "encode"): ("omxh264enc", "GstOMXH264Enc", "video_encoder.avc"),
    ("hevc", "encode"): ("omxh265enc", "GstOMXH265Enc", "video_encoder.hevc"),
    ("mpeg4", "encode"): ("omxmpeg4videoenc", "GstOMXMPEG4VideoEnc", "video_encoder.mpeg4"),
}

#: GStreamer's ranks: above the codecs in software, and below all, where it finds the same devices by V4L2.
_PRIMARY, _MARGINAL = 257, 64


class Environment(NamedTuple):
    """What is set, and what has to be visible in a sandbox."""

    variables: dict[str, str]
    """``LD_PRELOAD`` is what comes before that of the program's own."""
    files: tuple[str, ...]
    """Files and folders, the backend's socket by its folder."""

    def over(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of a program that is started from `inherited`; nothing else changes."""
        merged = {**inherited, **self.variables}
        for name in ("GST_REGISTRY",):
            if name in inherited:  # somebody's wish
                merged[name] = inherited[name]
        ours, theirs = self.variables.get("LD_PRELOAD"), inherited.get("LD_PRELOAD")
        if ours and theirs:
            merged["LD_PRELOAD"] = f"{ours}:{theirs}"
        return merged


def add_api_option(parser: argparse.ArgumentParser) -> None:
    """Which APIs a program shall find the devices by."""
    parser.add_argument(
        "--api",
        metavar="API[,API]",
        help=f"through which interfaces: {', '.join(APIS)} (default: all that are installed)",
    )


def add_wish_options(parser: argparse.ArgumentParser) -> None:
    """What a program's sessions shall be like that it has no word for itself."""
    parser.add_argument(
        "--planes",
        choices=PLANES,
        help="V4L2: the API of one plane or that of several; most programs know both (default: "
        f"${_PLANES}, else multi)",
    )
    parser.add_argument(
        "--on-loss",
        choices=ON_LOSS,
        help="when the worker dies: the program's sessions go on with another one, or it gets its API's error (default: "
        f"${_ON_LOSS}, else recover)",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        metavar="R",
        help="pictures per second at which the program shows what it decodes, such as 25 or 30000/1001: for the policy "
        f"deadline, and reserved of a device with a pixel rate (default: ${_RATE}, else it does not say)",
    )


def wishes_of(arguments: argparse.Namespace) -> dict[str, str]:
    """What was said of these options, as the shims read it; what was not stays as it is set."""
    said = {_PLANES: arguments.planes, _ON_LOSS: arguments.on_loss, _RATE: arguments.rate}
    return {name: str(value) for name, value in said.items() if value is not None}


def chosen_apis(wish: str | None) -> tuple[str, ...]:
    """The APIs that ``--api`` names, or all whose shim is installed.

    Raises:
        UsageError: there is none of that name.
        ConfigError: its shim is not installed.
    """
    if wish is None:
        found = tuple(api for api in APIS if shim_path(api).exists())
        if not found:
            shim(APIS[0])
        return found
    names = tuple(dict.fromkeys(filter(None, wish.split(","))))
    unknown = [name for name in names if name not in APIS]
    if unknown or not names:
        raise UsageError(f"--api: there is no {unknown[0] if unknown else 'empty API'}; there are {', '.join(APIS)}")
    for name in names:
        shim(name)
    return names


def shim_path(api: str) -> Path:
    """Where an API's shim is, if it is installed."""
    return _NATIVE / f"libparacore-{api}.so"


def shim(api: str) -> str:
    """The library that is an API's shim.

    Raises:
        ConfigError: it is not there, or cannot be preloaded.
    """
    path = shim_path(api)
    if not os.access(path, os.R_OK):
        raise ConfigError(api, f"{path} is missing or may not be read; build it with: make native")
    if set(str(path)) & {" ", ":", "\t"}:
        raise ConfigError(
            api, f"{path} cannot be in LD_PRELOAD; install paracore in a folder without blanks and colons"
        )
    return str(path)


def static_runner() -> str:
    """The program that runs those without a dynamic libc.

    Raises:
        ConfigError: it is not there.
    """
    shim("v4l2")  # which it needs beside it
    path = _NATIVE / "paracore-static"
    if not os.access(path, os.X_OK):
        raise ConfigError("static", f"{path} is missing or may not be run; build it with: make native")
    return str(path)


def environment_for(
    apis: Sequence[str],
    address: str,
    folder: Path,
    devices: Mapping[str, paracore.Device],
    wishes: Mapping[str, str] = MappingProxyType({}),
) -> Environment:
    """The environment, and the files behind it.

    Args:
        apis: of ``APIS``.
        address: the backend's socket.
        folder: for files.
        devices: those of the domain; only looked at for OpenMAX IL.
        wishes: see ``wishes_of``.
    """
    variables = {"PARACORE_SOCKET": address, **wishes}
    files = [str(Path(address).parent)]
    if "v4l2" in apis:
        variables["LD_PRELOAD"] = shim("v4l2")
        files.append(variables["LD_PRELOAD"])
    if "omx" in apis:
        text = _gst_omx(devices.values(), _MARGINAL if "v4l2" in apis else _PRIMARY)
        variables["GST_OMX_CONFIG_DIR"] = str(_write(folder, text))
        files += [variables["GST_OMX_CONFIG_DIR"], shim("omx")]
    # plugins look for devices when GStreamer makes its list of plugins: that without devices stays as it is, and
    # what they find has other formats with other planes
    kind = "-single" if wishes.get(_PLANES) == "single" else ""
    variables["GST_REGISTRY"] = str(folder / f"gstreamer-registry{kind}.bin")
    return Environment(variables, tuple(files))


def _gst_omx(devices: Iterable[paracore.Device], rank: int) -> str:
    """gstomx.conf for the components that there are. The first device that can do it has the plain name."""
    sections: dict[str, str] = {}
    for device in devices:
        for capability in device.capabilities:
            section, kind, role = _GST_OMX.get((capability.codec, capability.direction), ("", "", ""))
            if section and section not in sections:
                sections[section] = (
                    f"[{section}]\n"
                    f"type-name={kind}\n"
                    f"core-name={shim('omx')}\n"
                    f"component-name=OMX.paracore.{role}\n"
                    f"component-role={role}\n"
                    f"rank={rank}\n"
                    "in-port-index=0\n"
                    "out-port-index=1\n"
                )
    return "\n".join(sections.values())


def _write(folder: Path, text: str) -> Path:
    """A folder that holds this gstomx.conf."""
    target = folder / f"omx-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    target.mkdir(parents=True, exist_ok=True)
    fresh = target / f".gstomx.conf.{os.getpid()}"
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(target / "gstomx.conf")
    return target


def cache_folder() -> Path:
    """Where this user's generated files go: as the XDG base directory specification has it, else beside /tmp's.

    Raises:
        ConfigError: there is no place for them.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    folder = Path(home) / "paracore"
    try:
        if not folder.is_absolute():
            raise FileNotFoundError(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return _temporary_folder()


def _temporary_folder() -> Path:
    """One of this user's own; what another user put there beforehand is not used."""
    folder = Path(tempfile.gettempdir()) / f"paracore-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError("XDG_CACHE_HOME", f"no folder for generated files ({error}); set it to one") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ConfigError("XDG_CACHE_HOME", f"{folder} is somebody else's; set it to a folder of your own")
    return folder
