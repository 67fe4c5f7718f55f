"""tools/lint, in small repositories with one offence each."""

import os
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))

CLEAN = {
    "CMakeLists.txt": "add_subdirectory(effnet/base)\nif(EFFNET_TRAIN)\n  add_subdirectory(effnet/nn)\nendif()\n",
    "effnet/base/CMakeLists.txt": "effnet_layer(base)\n",
    "effnet/base/text.h": '#pragma once\n\nint length(const char* text);  // std::cout << length("a") would print it\n',
    "effnet/base/text.cc": "#include \"effnet/base/text.h\"\n\n#include <cstdio>\n\nint length(const char* text) {\n"
                           "  char digits[9];\n  return std::snprintf(digits, 9, \"%s\", text);\n}\n",
    "effnet/base/text_test.cc": "#include <cstdio>\n\nint main() { std::puts(\"a test may print\"); }\n",
    "effnet/nn/CMakeLists.txt": "effnet_layer(nn USES base)\n",
    "effnet/nn/part.h": "#pragma once\n\n#include \"effnet/base/text.h\"\n",
    "effnet/cli/main.cc": "#include <cstdio>\n\nint main() { std::puts(\"the command line may print\"); }\n",
    "tests/integration/conftest.py": "import pytest\n",
    "tests/integration/test_text.py": "def test_length():\n    pass\n",
}


@pytest.fixture
def lint(tmp_path):
    """lint(files): the exit code and output lines of tools/lint on CLEAN with these files added or replaced."""
    tools = tmp_path / "bin"
    tools.mkdir()
    if shutil.which("clang-format") is None:  # it is not one of the packages that the tests need
        (tools / "clang-format").write_text("#!/bin/sh\n")
        (tools / "clang-format").chmod(0o755)
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:{tools}"}

    def run(files):
        place = tmp_path / "repository"
        for name, text in (CLEAN | files).items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        (place / "tools").mkdir()
        for name in ("tools/lint", "tools/long_functions", ".clang-format"):
            shutil.copy(os.path.join(ROOT, name), place / name)
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", *words], cwd=place, check=True)
        result = subprocess.run(["tools/lint"], cwd=place, env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.splitlines()

    return run


def test_a_clean_tree_is_clean(lint):
    assert lint({}) == (0, ["lint: 5 files are clean"])


PRINTS = [
    'std::cout << "a";', 'std::cerr << "a";', 'std::clog << 1;', 'std::printf("a");', 'fprintf(stderr, "a");', 'std::puts("a");',
    'fputs("a", stderr);', 'std::perror("a");', 'std::exit(1);', 'exit (1);', '::abort();', 'std::terminate();', 'fmt::print("a");',
]


@pytest.mark.parametrize("file", ["effnet/base/text.cc", "effnet/base/text.h", "effnet/nn/part-inl.h"])
def test_a_library_does_not_print_or_exit(lint, file):
    code, lines = lint({file: "".join(f"inline void f{i}() {{ {line} }}\n" for i, line in enumerate(PRINTS))})
    found = [one for one in lines if "prints or exits" in one]
    assert code == 1 and len(found) == len(PRINTS), lines
    for i, line in enumerate(PRINTS):
        assert found[i].endswith(f": {file}:{i + 1}:inline void f{i}() {{ {line} }}")


def test_similar_names_are_allowed(lint):
    alike = ["process.exit(1);", "group->abort();", "snprintf(p, 1, q);", "int exits(int);", "f();  // std::exit(1)"]
    code, lines = lint({"effnet/base/text.h": "".join(f"inline void f{i}() {{ {line} }}\n" for i, line in enumerate(alike))})
    assert not any("prints or exits" in one for one in lines), lines


@pytest.mark.parametrize("file", ["effnet/base/long.cc", "effnet/base/long.h"])
def test_files_are_short(lint, file):
    assert lint({file: "int f();\n" * 500})[0] == 0

def test_long_files_are_found(lint):
    code, lines = lint({"effnet/base/long.h": "int f();\n" * 501, "effnet/base/long_test.cc": "int f();\n" * 600})
    assert code == 1
    assert [one.split(" (")[0] for one in lines] == ["lint: effnet/base/long.h has 501 lines", "lint: effnet/base/long_test.cc has 600 lines"]


LINES = "  f();\n"
ROWS = "    {1, [] { f(); }},\n"


@pytest.mark.parametrize("text, expected", [
    ("int f(int a = 3) {\n" + LINES * 78 + "}\n", []),
    ("int f(int a = 3) {\n" + LINES * 79 + "}\n", [(1, 81)]),
    ("namespace a {\nclass B {\n public:\n  B() : b{1}, c(2) {\n  " + LINES * 90 + "  }\n};\n}\n", [(4, 92)]),
    ("void g() {\n  each(1, [&](int i) {\n" + LINES * 90 + "  });\n}\n\nint h() { return 1; }\n", [(1, 94)]),
    ("const std::vector<Row> rows{\n" + ROWS * 200 + "};\n", []),
    ("std::vector<Row> rows() {\n  return {\n" + ROWS * 200 + "  };\n}\n", []),
    ("void k() {\n" + LINES * 77 + "  const Row rows[] = {\n" + ROWS * 200 + "  };\n}\n", [(1, 81)]),
    ('void t() {  // {\n  f("{", \'{\', 1\'000);\n' + LINES * 90 + "}\n", [(1, 93)]),
])
def test_functions_are_short(lint, text, expected):
    _, lines = lint({"effnet/base/long.cc": text})
    found = [one for one in lines if "a function has" in one]
    assert [one.split(" (")[0] for one in found] == [f"lint: effnet/base/long.cc:{line}: a function has {count} lines" for line, count in expected], lines


def test_layers(lint):
    code, lines = lint({"effnet/base/text.h": '#pragma once\n\n#include "effnet/nn/part.h"\n'})
    assert code == 1 and lines == ["lint: effnet/base/text.h includes effnet/nn (a base file may use: base)"]


# A subfolder with a row of its own is a layer; otherwise it belongs to the layer of its parent folder.
def test_layers_in_subfolders(lint):
    code, lines = lint({"effnet/train/recipe/a.h": '#pragma once\n\n#include "effnet/base/text.h"\n#include "effnet/train/step/b.h"\n',
                        "effnet/train/step/b.h": '#pragma once\n\n#include "effnet/base/unicode/c.h"\n#include "effnet/nn/part.h"\n',
                        "effnet/base/unicode/c.h": '#pragma once\n\n#include "effnet/base/text.h"\n#include "effnet/nn/part.h"\n'})
    assert code == 1 and sorted(line.split(" (")[0] for line in lines) == [
        "lint: effnet/base/unicode/c.h includes effnet/nn", "lint: effnet/train/recipe/a.h includes effnet/train/step"], lines


def test_unregistered_cpp_tests_are_found(lint):
    code, lines = lint({"effnet/lost/a_test.cc": "int f();\n", "effnet/base/CMakeLists.txt": "add_library(base)\n"})
    assert code == 1
    assert lines == [
        "lint: the tests in effnet/base are not registered (expected effnet_layer in effnet/base/CMakeLists.txt)",
        "lint: the tests in effnet/lost are not registered (expected effnet_layer in effnet/lost/CMakeLists.txt)",
        "lint: the tests in effnet/lost are not registered (expected add_subdirectory(effnet/lost) in CMakeLists.txt)"]


def test_uncollected_python_tests_are_found(lint):
    code, lines = lint({"tests/integration/cli_tests.py": "def test_a():\n    pass\n", "tests/other/test_b.py": "def test_b():\n    pass\n",
                        "tests/integration/test_empty.py": "def check_a():\n    pass\n",
                        "tests/integration/test_twice.py": "def test_a():\n    pass\n\n\ndef test_a():\n    pass\n"})
    assert code == 1
    assert sorted(lines) == [
        "lint: tests/integration/cli_tests.py: its tests are not collected (expected a name tests/integration/test_*.py)",
        "lint: tests/integration/test_empty.py has no test (expected def test_...)",
        "lint: tests/integration/test_twice.py: test_a is defined twice, so the first one never runs",
        "lint: tests/other/test_b.py: its tests are not collected (expected a name tests/integration/test_*.py)"]


@pytest.mark.skipif(shutil.which("clang-format") is None, reason="clang-format is not installed (make deps)")
def test_format(lint):
    code, lines = lint({"effnet/base/text.h": "int   f( );\n"})
    assert code == 1 and "lint: not formatted: run 'make format'" in lines
