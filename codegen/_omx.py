# SPDX-License-Identifier: Apache-2.0
"""The OpenMAX IL core's table of indexes, and the page that says what it serves, from ``specs/omx.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._coverage import Entry, coverage, notice
from codegen._text import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["omx_artefacts"]

NOTICE = notice("omx.toml")
REACH = {"component": "", "port": "any", "input": "input", "output": "output"}


def omx_artefacts(text: str) -> dict[str, str]:
    """Both, by path.

    Raises:
        SpecError: an index is named twice.
    """
    said = coverage("omx.toml", text, "index")
    return {"native/shims/omx/index_table.c": _table(said), "docs/reference/omx-coverage.md": _page(said)}


# --- the table ----------------------------------------------------------------------------------


def _table(said: Entry) -> str:
    rows = "".join(_row(entry) for entry in said["index"])
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        f"/* {NOTICE[0]} {NOTICE[1]} */\n"
        '#include "parameters.h"\n\n'
        f"const struct index INDEXES[] = {{\n{rows}}};\n\n"
        "const size_t INDEX_COUNT = COUNT(INDEXES);\n"
    )


def _row(entry: Entry) -> str:
    name = entry["name"]
    number = f"(OMX_INDEXTYPE){name}" if "extension" in entry else name
    fields = {
        "index": number,
        "name": f'"{entry["extension"]}"' if "extension" in entry else "",
        "size": f"sizeof({entry['struct']})",
        "config": "true" if "Config" in name else "",
        "encoder_only": "true" if entry.get("for") == "encoder" else "",
        "codec": f"PARACORE_CODEC_{entry['codec'].upper()}" if "codec" in entry else "",
        "reach": f"REACH_{entry['reach'].upper()}",
        "get": f"get_{entry['get']}",
        "set": f"set_{entry['set']}" if "set" in entry else "",
    }
    return "    {\n" + "".join(f"        .{key} = {value},\n" for key, value in fields.items() if value) + "    },\n"


# --- the page -----------------------------------------------------------------------------------


def _page(said: Entry) -> str:
    return "\n".join(
        [
            f"<!-- {NOTICE[0]} {NOTICE[1]} -->",
            "# What the OpenMAX IL core serves",
            "",
            "Every function, command, event and index of OpenMAX IL 1.1.2.",
            "",
            "## Functions",
            "",
            "| function | answer | |",
            "|---|---|---|",
            *(f"| {_names(e['name'])} | {e['answer']} | {unit(e['doc'])} |" for e in said["call"]),
            "",
            "## Commands",
            "",
            "| command | |",
            "|---|---|",
            *(f"| `{e['name']}` | {unit(e['doc'])} |" for e in said["command"]),
            "",
            "## Events",
            "",
            "| event | |",
            "|---|---|",
            *(f"| `{e['name']}` | {unit(e['doc'])} |" for e in said["event"]),
            "",
            "## Indexes: served",
            "",
            "A structure of another size is answered with `OMX_ErrorBadParameter`, one of another version with",
            "`OMX_ErrorVersionMismatch`, a port that has not the index with `OMX_ErrorBadPortIndex`, and setting what can only",
            "be asked for with `OMX_ErrorUnsupportedSetting`. A configuration can also be asked for and set as a parameter.",
            "",
            "| index | port | components | | |",
            "|---|---|---|---|---|",
            *_index_rows(said["index"]),
            "",
            "## Indexes: refused with `OMX_ErrorUnsupportedIndex`",
            "",
            "| index | why |",
            "|---|---|",
            *(f"| `{name}` | {unit(group['why'])} |" for group in said["refused"] for name in group["names"]),
            "",
        ]
    )


def _names(text: str) -> str:
    return ", ".join(f"`{name}`" for name in text.split(", "))


def _index_rows(indexes: list[Entry]) -> Iterator[str]:
    for entry in indexes:
        shown = f"`{entry['extension']}`" if "extension" in entry else f"`{entry['name']}`"
        who = " ".join(filter(None, [entry.get("codec", ""), "encoders" if entry.get("for") == "encoder" else "all"]))
        verbs = "get, set" if "set" in entry else "get"
        yield f"| {shown} | {REACH[entry['reach']]} | {who} | {verbs} | {unit(entry['doc'])} |"
