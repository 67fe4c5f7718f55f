"""The object files of an instruction set's kernels define no code that other parts of the program may call.

A function that several object files define (for example an inline function of the standard library) is a weak symbol:
the linker keeps one copy for the whole program. If it kept the copy of simd/avx512.cc, all callers would need AVX-512.
So the object file of an instruction set may define no visible function, and no constructor that runs at program start.
"""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT

BINARY = pathlib.Path(os.environ.get("EFFNET_BIN", os.path.join(ROOT, "build/release/bin/effnet")))
OBJECTS = sorted((BINARY.parent.parent / "effnet/kernels").rglob("simd/*.o"))


def symbols(path):
    """The lines of nm as (type letter, name). Undefined symbols (type U) are included."""
    text = subprocess.run(["nm", "-C", str(path)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^(?:[0-9a-f]{16}| {16}) (\S) (.*)$", text, re.MULTILINE)


def offences(found):
    """The symbols that an object file of an instruction set may not have: visible ones, except its tables, and code
    that runs at program start."""
    tables = re.compile(r"effnet::kernels::\w+::k(Kernels|Training)$")
    return [
        f"{kind} {name}"
        for kind, name in found
        if (kind in "TBDRWVuvwi" and not tables.match(name)) or "_GLOBAL__sub_I" in name or "static_initialization" in name
    ]


def test_every_set_of_this_processor_has_an_object():
    names = {path.name.split(".")[0] for path in OBJECTS}
    assert "portable" in names and len(names) >= 2, names


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name.split(".")[0])
def test_kernel_objects_export_no_code(path):
    found = symbols(path)
    set_name = path.name.split(".")[0]
    kernels = [name for kind, name in found if kind == "t" and f"effnet::kernels::{set_name}::" in name]
    assert len(kernels) > 50, "the pattern has to find the kernels"
    assert offences(found) == []


@pytest.mark.parametrize(
    "source",
    [
        "#include <algorithm>\nlong shared(const long&, const long&);\n"
        "namespace { long use(long a, long b) { return std::max(a, b); } }\nstatic long (*table)(long, long) [[gnu::used]] = use;\n",
        "extern long value();\nstatic long table = value();\nnamespace { long* use = &table; }\n",
        "inline int shared() { return 1; }\nstatic int (*table)() [[gnu::used]] = shared;\n",
    ],
    ids=["standard library", "runs at start", "inline function"],
)
def test_offence_is_found(tmp_path, source):
    (tmp_path / "bad.cc").write_text(source)
    subprocess.run(["g++", "-std=c++20", "-O0", "-c", "bad.cc"], check=True, cwd=tmp_path)
    assert offences(symbols(tmp_path / "bad.o"))
