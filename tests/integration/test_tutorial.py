"""docs/tutorial-transfer.md, typed literally: every command of its `sh` blocks runs in the order of the page.

The commands name build/core/bin/effnet and the default network. Here that path is a link to the tested binary, and the
pulled weights of the default network are those of a very small network, so that the page takes seconds."""

import os
import re
import subprocess

import pytest

from conftest import ROOT
from test_finetune import TINY_ARCH

PAGE = os.path.join(ROOT, "docs/tutorial-transfer.md")


def commands():
    with open(PAGE) as page:
        blocks = re.findall(r"^```sh\n(.*?)^```", page.read(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(effnet, tmp_path_factory):
    root = tmp_path_factory.mktemp("tutorial")
    (root / "build/core").mkdir(parents=True)
    os.symlink(os.path.dirname(os.path.abspath(effnet.path)), root / "build/core/bin")
    for name in ("tools", "examples"):
        os.symlink(os.path.join(ROOT, name), root / name)
    models = root / "home/models"
    models.mkdir(parents=True)
    (root / "tiny.toml").write_text(TINY_ARCH)
    result = effnet("export", root / "tiny.toml", "--random", "--names", "effnet", "--safetensors", models / "efficientnet_lite0.safetensors")
    assert result.returncode == 0, result.stderr
    return root


def test_every_command_works_as_it_is_written(folder):
    lines = commands()
    assert len(lines) >= 10 and any("finetune" in line for line in lines)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")}
    environment["EFFNET_HOME"] = str(folder / "home")
    for line in lines:
        result = subprocess.run(line, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert result.returncode == 0, (line, result.stdout[-2000:], result.stderr[-2000:])
        if " finetune " in line:
            assert re.search(r"^test top-1 [\d.]+ % \(95 % interval [\d.]+ to [\d.]+\) on \d+ images that no choice has seen", result.stdout, re.M)
    for made in ("build/run/report.html", "build/run/model.safetensors", "build/cam.png", "build/run2/report.html"):
        assert (folder / made).stat().st_size > 0, made
