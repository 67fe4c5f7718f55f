"""The installed libeffnet: relocatable, found by CMake and pkg-config, exports public symbols only."""

import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
CHELSEA = os.path.join(ROOT, "examples/photos/chelsea.png")
# The warnings of the program that uses the library. CMake does not add the headers with -isystem here.
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror"


def run(*command, cwd=None, env=None):
    # A clean environment: only the compiler and the folders of the system are found.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd or "/"), **(env or {})}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, timeout=600, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run_well(*command, **options):
    result = run(*command, **options)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def build(effnet):
    folder = os.path.dirname(os.path.dirname(os.path.abspath(effnet.path)))
    if not os.path.exists(os.path.join(folder, "libeffnet.so")):
        pytest.skip(f"{folder} has no libeffnet.so (EFFNET_SHARED=OFF)")
    return folder


@pytest.fixture(scope="module")
def prefix(build, tmp_path_factory):
    """An installed copy, moved to another folder after the installation."""
    folder = tmp_path_factory.mktemp("installed")
    run_well("cmake", "--install", build, "--prefix", folder / "first")
    (folder / "first").rename(folder / "second")
    return folder / "second"


@pytest.fixture(scope="module")
def lib(prefix):
    """The folder of the library: lib, or lib/<architecture> if CMake was configured for /usr."""
    [library] = prefix.glob("lib/**/libeffnet.so")
    return library.parent


def cmake_build(source, binary, prefix):
    run_well("cmake", "-G", "Ninja", "-S", source, "-B", binary, f"-DCMAKE_PREFIX_PATH={prefix}",
             f"-DCMAKE_CXX_FLAGS={WARNINGS}")
    run_well("cmake", "--build", binary)


@pytest.fixture(scope="module")
def classify(prefix, tmp_path_factory):
    """The program of examples/, built against the installed copy."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(os.path.join(ROOT, "examples"), folder / "source")
    cmake_build(folder / "source", folder / "build", prefix)
    return folder / "build/classify"


def answers(output):
    """[(class index, label, percent)] of classify's output."""
    rows = re.findall(r"^ *([\d.]+) %  (.*) \((\d+)\)$", output, re.MULTILINE)
    assert len(rows) == 5, output
    return [(int(index), label, float(percent)) for percent, label, index in rows]


def test_classify_gives_the_results_of_predict(effnet, classify, tmp_path):
    # A model file with random weights, made through a .pth: it needs no network.
    effnet.json("export", "efficientnet_lite0", "--random", "--pth", tmp_path / "lite0.pth", "--names", "lukemelas")
    model = tmp_path / "lite0.safetensors"
    effnet.json("import", tmp_path / "lite0.pth", "--arch", "efficientnet_lite0", "--source", "lukemelas", "-o", model)
    expected = effnet.json("predict", model, CHELSEA)["images"][0]["top"]
    got = answers(run_well(classify, model, CHELSEA, cwd=tmp_path))  # the HOME of packed weights
    assert got[0][0] == expected[0]["index"]
    for (index, label, percent), row in zip(got, expected):
        assert (index, label) == (row["index"], row["label"])
        assert percent == pytest.approx(100 * row["score"], abs=0.006)  # two decimals are printed


def test_classify_prints_the_documented_output(classify, pulled, tmp_path):
    with open(os.path.join(ROOT, "examples/classify.cc")) as file:
        source = file.read()
    assert source.count("\n") < 40
    comment = "\n".join(line[2:] for line in source.splitlines() if line.startswith("//  "))
    got = answers(run_well(classify, pulled("efficientnet_lite0")["path"], CHELSEA, cwd=tmp_path))
    for row, expected in zip(got, answers(comment)):
        assert row[:2] == expected[:2] and row[2] == pytest.approx(expected[2], abs=0.011)  # the last decimal may differ


def test_errors_of_the_library_reach_the_caller(classify, tmp_path):
    for arguments, code, says in [(["efficientnet_lite0", tmp_path / "none.png"], 3, "none.png: cannot read"),
                                  (["efficientnet_b77", CHELSEA], 3, "unknown model"),
                                  ([], 2, "wrong number of arguments")]:
        result = run(classify, *arguments, cwd=tmp_path)
        assert result.returncode == code and result.stdout.startswith("classify: ") and says in result.stdout


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    """Writes the snippets of docs/library.md as files. Returns the folder and the pkg-config line."""
    with open(os.path.join(ROOT, "docs/library.md")) as file:
        text = file.read()
    snippet = lambda language: re.search(rf"```{language}\n(.*?)```", text, re.DOTALL).group(1)
    folder = tmp_path_factory.mktemp("documented")
    (folder / "CMakeLists.txt").write_text(snippet("cmake"))
    (folder / "main.cc").write_text(snippet("cpp"))
    return folder, snippet("sh").strip()


def check_documented_output(output):
    count, twice, refused = output.splitlines()
    assert re.fullmatch(r"\d+ parameters", count) and twice == "the same image twice" and refused == "refused"


def test_documented_cmake(documented, prefix):
    folder, _ = documented
    cmake_build(folder, folder / "build", prefix)
    check_documented_output(run_well(folder / "build/myprogram"))


def test_documented_pkg_config(documented, prefix, lib):
    folder, line = documented
    env = {"PKG_CONFIG_PATH": str(lib / "pkgconfig"), "LD_LIBRARY_PATH": str(lib)}
    run_well("sh", "-ec", line, cwd=folder, env=env)
    check_documented_output(run_well(folder / "myprogram", env=env))
    version = run_well("pkg-config", "--modversion", "effnet", env=env).strip()
    assert run_well(prefix / "bin/effnet", "--version").strip() == f"effnet {version}"


def test_another_version_is_refused(effnet, prefix, tmp_path):
    major, minor, _ = map(int, effnet("--version").stdout.split()[1].split("."))
    for wanted in ["99", f"{major}.{minor + 1}", f"{major + 1}.{minor}"]:
        (tmp_path / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES CXX)\n"
            f"find_package(effnet {wanted} REQUIRED)\n")
        result = run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / wanted, f"-DCMAKE_PREFIX_PATH={prefix}")
        assert result.returncode != 0
        assert f'compatible with requested version "{wanted}"' in " ".join(result.stdout.split()), result.stdout


def test_only_marked_names_are_exported(prefix, lib):
    """The symbol table has the names that EFFNET_API marks in the installed headers, and no others."""
    classes, functions = set(), set()
    for path in (prefix / "include").rglob("*.h"):
        text = re.sub(r"//.*", "", path.read_text())
        classes |= set(re.findall(r"\b(?:class|struct) EFFNET_API (\w+)", text))
        functions |= set(re.findall(r"^ *EFFNET_API [^;{(]*?(\w+)\(", text, re.MULTILINE))
    assert {"Error", "Session", "ThreadPool"} <= classes and {"read_model", "lower", "read_image", "top_k"} <= functions

    exported = set()
    for line in run_well("nm", "-DC", "--defined-only", lib / "libeffnet.so").splitlines():
        name = line.split(" ", 2)[2]
        assert re.match(r"((typeinfo|typeinfo name|vtable) for )?effnet::", name), line
        # effnet::engine::Session::run[abi:cxx11](...) -> [effnet, engine, Session, run]
        parts = re.sub(r".* for ", "", re.split(r"\[abi|\(", name)[0]).split("::")
        assert "Impl" not in parts and (parts[-1] in functions or classes & set(parts)), line
        exported |= set(parts)
    assert functions | classes <= exported, (functions | classes) - exported


def test_installed_files_contain_no_build_path(build, prefix):
    for path in prefix.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for place in (ROOT, build, str(prefix.parent / "first")):
                assert place.encode() not in content, f"{path} names {place}"
    assert "RUNPATH" not in run_well("readelf", "-d", *prefix.glob("bin/effnet"), *prefix.glob("lib/**/libeffnet.so"))
