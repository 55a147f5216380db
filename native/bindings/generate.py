# SPDX-License-Identifier: Apache-2.0
"""Makes the cffi modules ``paracore._native.*`` and their type stubs from the C headers themselves.

Nothing is declared twice: the headers are run through the C preprocessor with empty system headers
(``nothing/``) in place of the real ones, and what is left is what cffi is told. Run by meson:

    generate.py source MODULE OUTPUT -- COMPILER... -I...     the module's C source
    generate.py stub   MODULE OUTPUT -- COMPILER... -I...     its .pyi
"""

from __future__ import annotations

import argparse
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cffi
from pycparser import c_ast, c_parser

HERE = Path(__file__).parent

# What cffi knows without being told, for pycparser.
BUILTIN_TYPES = "bool size_t " + " ".join(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64))


@dataclass(frozen=True)
class Module:
    """One extension module.

    Attributes:
        summary: first line of the stub.
        headers: as they are included, in order.
    """

    summary: str
    headers: tuple[str, ...]


WIRE = "paracore/protocol.h"

MODULES = {
    "_core": Module(
        "The rings and the worker's loop.",
        (WIRE, "protocol_table.h", "paracore/ring.h", "loop.h", "trace.h"),
    ),
    "_frontend": Module("libparacore.", (WIRE, "paracore/paracore.h")),
    "_libav": Module("libavcodec behind the video class.", (WIRE, "codec.h", "gate.h", "trace.h")),
}


def includes(module: Module) -> str:
    """The include lines of a module's headers."""
    return "".join(f'#include "{header}"\n' for header in module.headers)


def preprocess(module: Module, compiler: list[str], *options: str) -> str:
    """What the preprocessor makes of the module's headers, without the system's."""
    command = [*compiler, "-E", "-nostdinc", "-I", str(HERE / "nothing"), "-D_Static_assert(fact,text)=", *options]
    run = subprocess.run([*command, "-"], input=includes(module), capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)
    return run.stdout


def macros(module: Module, compiler: list[str]) -> dict[str, bool]:
    """The constants that are macros; true for a text, false for an integer. The compiler knows their values."""
    found = re.findall(r'^#define (PARACORE_\w+) (["\w(].*)$', preprocess(module, compiler, "-dM"), re.MULTILINE)
    return {name: value.startswith('"') for name, value in sorted(found)}


def declarations(module: Module, compiler: list[str]) -> str:
    """The C declarations alone: no macros, no assertions, no stray semicolons."""
    return re.sub(r"^\s*;\s*$", "", preprocess(module, compiler, "-P"), flags=re.MULTILINE)


def cdef(module: Module, compiler: list[str]) -> str:
    """What cffi is told. Array lengths that are more than a number are left to the compiler."""
    body = re.sub(r"\[([^\]]*[^\]\w][^\]]*)\]", "[...]", declarations(module, compiler))
    constants = (
        f"static char *const {name};\n" if text else f"#define {name} ...\n"
        for name, text in macros(module, compiler).items()
    )
    return "".join(constants) + body


def source(name: str, module: Module, compiler: list[str], output: Path) -> None:
    """Writes the extension module's C source."""
    ffi = cffi.FFI()
    ffi.cdef(cdef(module, compiler))
    ffi.set_source(f"paracore._native.{name}", includes(module))
    ffi.emit_c_code(str(output))


# --- type stubs ------------------------------------------------------------------------------------

WIDTH = 120
INTEGERS = {"char", "int", "long", "short", "unsigned", "size_t"}


def python_type(node: c_ast.Node) -> str:
    """How a C type looks from Python: cffi converts integers, takes octets for `const` pointers to them."""
    if isinstance(node, c_ast.PtrDecl):
        target = node.type
        words = target.type.names if isinstance(target, c_ast.TypeDecl) and hasattr(target.type, "names") else []
        octets = "const" in getattr(target, "quals", ()) and words in (["void"], ["char"], ["uint8_t"])
        return "CData | bytes" if octets else "CData"
    base = node.type
    if isinstance(base, c_ast.Enum):
        return "int"
    if isinstance(base, c_ast.Struct):
        return "CData"
    word = base.names[-1]
    if word in ("void", "bool", "float", "double"):
        return {"void": "None", "double": "float"}.get(word, word)
    assert word in INTEGERS or word.endswith("_t"), word
    return "int"


def stub_function(declaration: c_ast.Decl) -> str:
    """One function of ``lib``, laid out as ruff has it; cffi takes no keywords."""
    parameters = declaration.type.args.params if declaration.type.args else []
    named = [f"{parameter.name}: {python_type(parameter.type)}" for parameter in parameters if parameter.name]
    arguments = ["self", *named, "/"] if named else ["self"]
    result = python_type(declaration.type.type).removesuffix(" | bytes")
    begin, end = f"    def {declaration.name}(", f") -> {result}: ..."
    line = ", ".join(arguments)
    if len(begin + line + end) <= WIDTH:
        return begin + line + end
    if len(line) <= WIDTH - 8:
        return f"{begin}\n        {line}\n    {end}"
    return f"{begin}\n" + "".join(f"        {argument},\n" for argument in arguments) + f"    {end}"


def members(module: Module, compiler: list[str]) -> list[str]:
    """One line per constant, enumerator and function of ``lib``."""
    typedefs = "".join(f"typedef int {name};\n" for name in BUILTIN_TYPES.split())
    tree = c_parser.CParser().parse(typedefs + declarations(module, compiler))
    lines = [f"    {name}: {'CData' if text else 'int'}" for name, text in macros(module, compiler).items()]
    for node in tree.ext:
        if not isinstance(node, c_ast.Decl):
            continue
        if isinstance(node.type, c_ast.Enum):
            lines += [f"    {member.name}: int" for member in node.type.values.enumerators]
        elif isinstance(node.type, c_ast.FuncDecl):
            lines.append(stub_function(node))
        elif node.name:
            lines.append(f"    {node.name}: CData")
    return lines


def stub(name: str, module: Module, compiler: list[str], output: Path) -> None:
    """Writes the extension module's type stub."""
    wire = members(Module("", (WIRE,)), compiler)  # Python has these in paracore.classes
    lines = "\n".join(line for line in members(module, compiler) if line not in wire)
    text = f'''# SPDX-License-Identifier: Apache-2.0
# Made by native/bindings/generate.py from {", ".join(module.headers)}; do not edit.
# To make it again: python hatch_build.py --stubs
"""{module.summary} What a function does stands in its header."""

from typing import Any, Final, TypeAlias, type_check_only

import _cffi_backend

CData: TypeAlias = Any  # cffi names the fields of a struct at run time

@type_check_only
class _{name.strip("_").capitalize()}:
{lines}

ffi: Final[_cffi_backend.FFI]
lib: Final[_{name.strip("_").capitalize()}]
'''
    output.write_text(text, encoding="utf-8")


def main() -> None:
    """Makes one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["source", "stub"])
    parser.add_argument("module", choices=sorted(MODULES))
    parser.add_argument("output", type=Path)
    parser.add_argument("compiler", nargs="+")
    arguments = parser.parse_args()
    make = source if arguments.what == "source" else stub
    make(arguments.module, MODULES[arguments.module], arguments.compiler, arguments.output)


if __name__ == "__main__":
    main()
