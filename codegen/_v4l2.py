# SPDX-License-Identifier: Apache-2.0
"""The V4L2 shim's tables, and the page that says what it serves, from ``specs/v4l2.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._coverage import Entry, coverage, notice
from codegen._text import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["v4l2_artefacts"]

NOTICE = notice("v4l2.toml")
WHO = {"both": "BOTH", "decoder": "DECODERS", "encoder": "ENCODERS"}
NODES = {"both": "both", "decoder": "decoders", "encoder": "encoders"}


def v4l2_artefacts(text: str) -> dict[str, str]:
    """Both, by path.

    Raises:
        SpecError: an ioctl is named twice.
    """
    said = coverage("v4l2.toml", text, "ioctl")
    return {"native/shims/v4l2/tables.h": _tables(said), "docs/reference/v4l2-coverage.md": _page(said)}


# --- the tables ---------------------------------------------------------------------------------


def _tables(said: Entry) -> str:
    rows = "".join(_request(entry) for entry in said["ioctl"])
    menus = "".join(_menu(control) for control in said["control"])
    controls = "".join(_control(control) for control in said["control"])
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        f"/* {NOTICE[0]} {NOTICE[1]} */\n"
        "#ifndef PARACORE_SHIMS_V4L2_TABLES_H\n#define PARACORE_SHIMS_V4L2_TABLES_H\n\n"
        f"#define REQUEST_ROWS \\\n{rows}\n"
        f"{menus}\n"
        f"#define CONTROL_ROWS \\\n{controls}\n"
        "#endif\n"
    )


def _request(entry: Entry) -> str:
    name = entry["name"]
    struct, _, field = entry.get("up_to", "").partition(".")
    kept = f"UP_TO({struct}, {field})" if struct else "0"
    flags = " | ".join(flag.upper() for flag in ("always_copy", "changes") if entry.get(flag)) or "0"
    who = WHO[entry.get("for", "both")]
    return f"    {{VIDIOC_{name}, ioctl_{name.lower()}, {kept}, {flags}, {who}, {_differs(entry)}}}, \\\n"


def _differs(entry: Entry) -> str:
    """What the single-planar API has otherwise, and where."""
    for shape in ("type", "format", "buffer"):
        if shape in entry:
            struct, _, field = entry[shape].partition(".")
            return f"{{{shape.upper()}, {f'offsetof(struct {struct}, {field})' if struct else '0'}}}"
    return "{SAME, 0}"


def _menu_name(control: Entry) -> str:
    return str(control["id"]).removeprefix("V4L2_CID_").removeprefix("MPEG_VIDEO_")


def _menu(control: Entry) -> str:
    if "menu" not in control:
        return ""
    items = ", ".join(f'"{item}"' if item else "NULL" for item in control["menu"])
    text = f"static const char *const {_menu_name(control)}_MENU[] = {{{items}}};\n"
    if "wire_values" in control:
        values = ", ".join(str(value) for value in control["wire_values"])
        text += f"static const int32_t {_menu_name(control)}_VALUES[] = {{{values}}};\n"
    return text


def _bounds(control: Entry) -> tuple[int, int, int]:
    if "menu" in control:
        allowed = [index for index, item in enumerate(control["menu"]) if item]
        return allowed[0], allowed[-1], 1
    least, most, step = control.get("range", (0, 0, 0))
    return least, most, step


def _control(control: Entry) -> str:
    least, most, step = _bounds(control)
    flags = " | ".join(f"V4L2_CTRL_FLAG_{flag}" for flag in control.get("flags", ())) or "0"
    wire = f"PARACORE_CONTROL_{control['wire'].upper()}" if "wire" in control else "0"
    codec = f"PARACORE_CODEC_{control['codec'].upper()}" if "codec" in control else "0"
    menu = f"{_menu_name(control)}_MENU" if "menu" in control else "NULL"
    values = f"{_menu_name(control)}_VALUES" if "wire_values" in control else "NULL"
    return (
        f'    {{{control["id"]}, V4L2_CTRL_TYPE_{control["type"]}, "{control["name"]}", {least}, {most}, {step}, '
        f"{control.get('default', 0)}, {flags}, {WHO[control['for']]}, {codec}, {wire}, {menu}, {values}}}, \\\n"
    )


# --- the page -----------------------------------------------------------------------------------


def _page(said: Entry) -> str:
    return "\n".join(
        [
            f"<!-- {NOTICE[0]} {NOTICE[1]} -->",
            "# What the V4L2 shim serves",
            "",
            "Every ioctl of `linux/videodev2.h` (Linux 6.1) and every control. What is not here the shim does not know:",
            "an ioctl answers `ENOTTY`, a control `EINVAL`, as a driver of the kernel without it does.",
            "",
            "With `PARACORE_V4L2_PLANES=single` nodes speak V4L2's single-planar API, with `multi` or nothing the other",
            "one. Both serve the same; in the single-planar one, the formats are those whose planes are one piece.",
            "",
            "## Served",
            "",
            "| ioctl | nodes | |",
            "|---|---|---|",
            *(f"| `VIDIOC_{e['name']}` | {NODES[e.get('for', 'both')]} | {_said(e)} |" for e in said["ioctl"]),
            "",
            "## Refused with `ENOTTY`",
            "",
            "| ioctl | why |",
            "|---|---|",
            *(f"| `VIDIOC_{name}` | {unit(group['why'])} |" for group in said["refused"] for name in group["names"]),
            "",
            "## Controls",
            "",
            "A control that the device has no use for is not shown.",
            "",
            "| control | nodes | type | values | default | |",
            "|---|---|---|---|---|---|",
            *_control_rows(said["control"]),
            "",
        ]
    )


def _said(entry: Entry) -> str:
    newer = f"Linux {entry['since']}. " if "since" in entry else ""
    return newer + unit(entry["doc"])


def _control_rows(controls: list[Entry]) -> Iterator[str]:
    for control in controls:
        least, most, _ = _bounds(control)
        values = ", ".join(item for item in control["menu"] if item) if "menu" in control else f"{least} to {most}"
        plain = control["type"] in ("INTEGER", "MENU")
        usual = control["menu"][control["default"]] if "menu" in control else control.get("default", "")
        read_only = "read only. " if control["type"] == "INTEGER" and "READ_ONLY" in control.get("flags", ()) else ""
        yield (
            f"| `{control['id']}` | {NODES[control['for']]} | {control['type'].lower()} | {values if plain else ''} | "
            f"{usual if plain else ''} | {(read_only + unit(control.get('doc', ''))).capitalize()} |"
        )
