"""The example of docs/adding-a-model.md: the arch file of that page by its path, and as a file in arch/."""

import json
import os
import re
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def documented():
    blocks = re.findall(r"```toml\n(.*?)```", open(os.path.join(ROOT, "docs/adding-a-model.md")).read(), re.S)
    return blocks[0], blocks[1]


def test_documented_network_by_path(effnet, tmp_path):
    path = tmp_path / "mynet.toml"
    path.write_text(documented()[0])
    assert effnet.json("inspect", str(path))["resolution"] == 160
    assert effnet.json("scale", str(path), "--phi", "1")["macs"] > effnet.json("inspect", str(path))["macs"]
    photo = os.path.join(ROOT, "examples/photos/chelsea.png")
    assert len(effnet.json("predict", str(path), photo, "--top", "10", "--quiet")["images"][0]["top"]) == 10


def test_documented_network_in_the_arch_folder(effnet):
    """tests/CMakeLists.txt builds a second effnet that has the documented file in its arch/."""
    binary = os.path.join(os.environ.get("EFFNET_BIN_DIR", os.path.dirname(effnet.path)), "effnet_with_mynet")
    if not os.access(binary, os.X_OK):
        pytest.skip(f"{binary} is not built")
    run = lambda *arguments: json.loads(subprocess.run([binary, *arguments, "--json"], check=True, stdout=subprocess.PIPE).stdout)
    assert [row["name"] for row in run("models", "mynet")] == ["mynet_small", "mynet_large"]
    assert len(run("models")) == len(effnet.json("models")) + 2
    assert run("inspect", "mynet_large")["resolution"] == 224
    assert run("scale", "mynet_small", "--depth", "2")["params"] > run("inspect", "mynet_small")["params"]
    result = subprocess.run([binary, "inspect", "mynet_smal"], stderr=subprocess.PIPE, text=True)
    assert result.returncode == 3 and "did you mean mynet_small?" in result.stderr
