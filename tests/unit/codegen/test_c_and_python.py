# SPDX-License-Identifier: Apache-2.0
"""The generated C and the generated Python are one wire: same octets, same refusals."""

from __future__ import annotations

import subprocess
from errno import ENOENT

from hypothesis import given, settings
from hypothesis import strategies as st

from codegen._c_names import payload_tag
from codegen._model import Form
from paracore._errors import MessageError
from tests.payloads import sample, values
from tests.unit.codegen.conftest import STRICT

PROGRAM = (
    '#include <stdio.h>\n#include <string.h>\n#include "paracore/protocol.h"\n\nint main(void)\n{\n%s    return 0;\n}\n'
)


def test_the_compiler_lays_structs_out_as_python_packs_them(wire, tmp_path):
    fixed = [case for case in wire.cases if case.layout.fields]
    samples = [sample(case.layout, case.module) for case in fixed]
    source = tmp_path / "layout.c"
    source.write_text(
        PROGRAM % "".join(statement(wire, case, value) for case, value in zip(fixed, samples, strict=True))
    )
    subprocess.run(["gcc", *STRICT, f"-I{wire.include}", "-o", tmp_path / "layout", source], check=True)
    octets = subprocess.run([tmp_path / "layout"], check=True, capture_output=True).stdout
    assert octets == b"".join(value.pack()[: case.layout.size] for case, value in zip(fixed, samples, strict=True))


def statement(wire, case, value):
    """C that writes the same value's struct to the standard output."""
    message = next(message for message in wire.protocol.messages if message.opcode == case.opcode)
    tag = payload_tag(message, case.layout)
    lines = "".join(assignments(case.layout, value, "value"))
    head = f"    {{\n        struct {tag} value;\n        memset(&value, 0, sizeof value);\n"
    return f"{head}{lines}        fwrite(&value, sizeof value, 1, stdout);\n    }}\n"


def assignments(layout, value, place):
    for field in layout.fields:
        if field.counts:
            yield f"        {place}.{field.name} = {len(getattr(value, field.counts))}u;\n"
        elif field.shown and field.form is not Form.TAIL:
            yield from assignment(field, getattr(value, field.name), f"{place}.{field.name}")


def assignment(field, value, place):
    if field.form is Form.STRUCT:
        yield from assignments(field.struct, value, place)
    elif field.form in (Form.TEXT, Form.ARRAY):
        elements = value.encode() if field.form is Form.TEXT else value
        for index, element in enumerate(elements):
            yield f"        {place}[{index}] = (__typeof__({place}[0])){number(element)};\n"
    else:
        yield f"        {place} = {number(value)};\n"


def number(value):
    """A C constant that no compiler warns of, the least of all included."""
    value = int(value)
    if value == -(1 << 63):
        return "INT64_MIN"
    return f"{value}ull" if value >= 1 << 63 else f"{value}"


def unpacks(case, octets):
    try:
        case.type.unpack(octets)
    except MessageError:
        return False
    return True


@settings(max_examples=400)
@given(data=st.data())
def test_both_refuse_the_same_octets(wire, data):
    case = data.draw(st.sampled_from(wire.cases))
    octets = data.draw(spoilt(case))
    assert (wire.check(case, octets) == 0) is unpacks(case, octets)


@st.composite
def spoilt(draw, case):
    """A valid payload with something done to it, most often nothing or little."""
    octets = bytearray(draw(values(case.layout, case.module)).pack())
    for _ in range(draw(st.integers(0, 3)) if octets else 0):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    length = draw(st.sampled_from([0, 0, 0, -8, -1, 1, 8]))
    return bytes(octets[:length] if length < 0 else octets + bytes(length))


NEARLY_TEXT = st.lists(
    st.text(max_size=4).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=3), max_size=8
).map(b"".join)


@settings(max_examples=400)
@given(octets=NEARLY_TEXT)
def test_both_refuse_the_same_texts(wire, octets):
    case = next(case for case in wire.cases if any(field.form is Form.TEXT for field in case.layout.fields))
    field = next(field for field in case.layout.fields if field.form is Form.TEXT)
    payload = bytearray(sample(case.layout, case.module).pack())
    payload[field.offset : field.offset + field.size] = octets[: field.size].ljust(field.size, b"\0")
    assert (wire.check(case, payload) == 0) is unpacks(case, payload)


def test_what_is_not_in_the_table_is_not_found(wire):
    opcodes = {case.opcode for case in wire.cases}
    calls = {case.opcode for case in wire.cases if case.is_reply}
    for opcode in range(0, 0x10000, 7):
        if opcode not in opcodes:
            assert wire.library.paracore_check_payload(opcode, 0, b"", 0) == -ENOENT
    for opcode in opcodes - calls:
        assert wire.library.paracore_check_payload(opcode, 1, b"", 0) == -ENOENT


def test_a_failure_is_checked_by_its_own_rules(wire):
    failure = wire.protocol.struct("failure")
    good = (1).to_bytes(4, "little").ljust(failure.size, b"\0")
    assert wire.library.paracore_check_failure(good, len(good)) == 0
    assert wire.library.paracore_check_failure(bytes(len(good)), len(good)) < 0
    assert wire.library.paracore_check_failure(good, len(good) - 8) < 0


def test_the_header_is_cxx_too(wire):
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"]
    subprocess.run([*command, wire.include / "paracore/protocol.h"], check=True)
