"""docs/adding-a-model.md, done literally: the file that stands there by its path, and as a file dropped into arch/."""

import json
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def documented():
    blocks = re.findall(r"```toml\n(.*?)```", open(os.path.join(ROOT, "docs/adding-a-model.md")).read(), re.S)
    return blocks[0], blocks[1]


def test_by_path(effnet, tmp_path):
    path = tmp_path / "mynet.toml"
    path.write_text(documented()[0])
    assert effnet.json("inspect", str(path))["resolution"] == 160
    assert effnet.json("scale", str(path), "--phi", "1")["macs"] > effnet.json("inspect", str(path))["macs"]
    photo = os.path.join(ROOT, "examples/photos/chelsea.png")
    assert len(effnet.json("predict", str(path), photo, "--top", "10", "--quiet")["images"][0]["top"]) == 10


def test_as_a_file_in_arch_and_no_other_edit(effnet, tmp_path):
    """Relinks a copy of the tree with one more file; ccache or not, only the generated table is compiled anew."""
    build = os.path.join(ROOT, "build/release")
    if not os.path.exists(os.path.join(build, "build.ninja")):
        pytest.skip("no release build tree to start from")
    copy = tmp_path / "effnet"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", ".git", "runs"))
    base, variants = documented()
    (copy / "arch" / "mynet.toml").write_text(base + "\n" + variants)
    subprocess.run(["cmake", "-S", copy, "-B", tmp_path / "build", "-G", "Ninja", "-DEFFNET_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Debug"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", tmp_path / "build", "--target", "effnet"], check=True, stdout=subprocess.DEVNULL)
    binary = tmp_path / "build" / "bin" / "effnet"
    rows = json.loads(subprocess.run([binary, "models", "mynet", "--json"], check=True, stdout=subprocess.PIPE).stdout)
    assert [row["name"] for row in rows] == ["mynet_small", "mynet_large"]
