"""Folders of images in predict and cam, "not sure", grids of several models, Grad-CAM and compare-models, with a very
small network."""

import json
import os

import numpy
import pytest
from PIL import Image

from test_predict import CHELSEA, PHOTOS, ROCKET, make_dataset


@pytest.fixture
def trained(effnet, tiny, tmp_path):
    """trained(name, labels): a model file with random weights and class names, made without training: the metadata of
    an exported file is changed."""
    def make(name, labels, seed=0, calibration=None):
        path = tmp_path / f"{name}.safetensors"
        effnet.json("export", tiny, "--safetensors", path, "--names", "effnet", "--seed", seed, "--quiet")
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        header["__metadata__"]["effnet.labels"] = json.dumps(labels)
        if calibration:
            header["__metadata__"]["effnet.calibration"] = json.dumps(calibration)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])
        return str(path)
    return make


def test_predict_a_folder(effnet, tiny, tmp_path):
    root = make_dataset(tmp_path / "set")
    images = effnet.json("predict", tiny, root, CHELSEA)["images"]
    assert [image["path"] for image in images] == [
        *(str(root / f"class_{index}" / f"{number}.png") for index in range(3) for number in range(4)), CHELSEA]
    lines = effnet("predict", tiny, root, "--quiet").stdout.splitlines()
    assert len(lines) == 13 and lines[-1].startswith("12 images: class ")
    (tmp_path / "empty").mkdir()
    effnet.check_error(effnet("predict", tiny, tmp_path / "empty"), 3)
    effnet.check_error(effnet("predict", tiny, root, "--dump-pixels", tmp_path / "x.png"), 2)


def test_not_sure(effnet, tiny, trained):
    best = effnet.json("predict", tiny, CHELSEA)["images"][0]["top"][0]["score"]
    for score, sure in ((best - 1e-6, True), (best + 1e-6, False)):
        assert effnet.json("predict", tiny, CHELSEA, "--min-score", score)["images"][0]["sure"] is sure
    assert "  not sure (best guess: class " in effnet("predict", tiny, CHELSEA, "--min-score", "1", "--quiet").stdout
    for wrong in ("2", "-0.1", "x", "nan", "auto"):
        effnet.check_error(effnet("predict", tiny, CHELSEA, "--min-score", wrong, "--quiet"), 2)
    model = trained("calibrated", ["a", "b", "c"], calibration={"temperature": 2, "min_score": 1})
    document = effnet.json("predict", model, CHELSEA, "--min-score", "auto", "--logits")
    assert document["min_score"] == 1
    assert "min_score" not in effnet.json("predict", model, CHELSEA)
    assert effnet.json("predict", model, CHELSEA, "--min-score", "0.25")["min_score"] == 0.25
    assert 'a score below 1.000 is "not sure"' in effnet("predict", model, CHELSEA, "--min-score", "auto").stderr
    image = document["images"][0]
    assert image["sure"] is False
    scores = numpy.exp(numpy.array(image["logits"]) / 2)
    assert image["top"][0]["score"] == pytest.approx(scores.max() / scores.sum(), abs=1e-6)
    assert effnet.json("inspect", model)["calibration"] == {"temperature": 2, "min_score": 1}
    broken = trained("broken", ["a", "b", "c"], calibration={"temperature": 0, "min_score": 1})
    effnet.check_error(effnet("predict", broken, CHELSEA), 3)


def test_cam_of_a_folder_and_grids(effnet, tiny, trained, tmp_path):
    folder = tmp_path / "maps"
    maps = effnet.json("cam", tiny, PHOTOS, "-o", f"{folder}/")
    assert sorted(os.listdir(folder)) == sorted(os.path.basename(one["path"]) for one in maps)
    assert {one["image"] for one in maps} >= {CHELSEA, ROCKET}
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    result = effnet("cam", tiny, CHELSEA, broken, "-o", f"{folder}/", "--json", "--quiet")
    assert result.returncode == 3 and set(json.loads(result.stdout)[1]) == {"image", "error"}

    a, b = trained("a", ["x", "y", "z"]), trained("b", ["z", "y", "x"], seed=1)
    grid = tmp_path / "grid.png"
    cells = effnet.json("cam", a, CHELSEA, ROCKET, "-o", grid, "--models", b, "--class", "z")
    assert [(one["image"], one["model"], one["class"]) for one in cells] == [
        (CHELSEA, a, 2), (CHELSEA, b, 0), (ROCKET, a, 2), (ROCKET, b, 0)]
    assert Image.open(grid).width == 12 + 3 * 252
    for wrong in (["--models", "a,"], ["--class", "w"], ["--alpha", "2"], ["--method", "x"], ["--layer", "stem"]):
        effnet.check_error(effnet("cam", a, CHELSEA, "-o", grid, *wrong, "--quiet"), 2)
    effnet.check_error(effnet("cam", a, CHELSEA, "-o", f"{folder}/", "--models", b, "--quiet"), 2)


def test_gradcam(effnet, tiny, tmp_path):
    if not effnet.json("doctor")["train"]["found"]:
        pytest.skip("effnet-train is not built")
    out, other = tmp_path / "gradcam.png", tmp_path / "cam.png"
    document = effnet.json("cam", tiny, CHELSEA, "-o", out, "--method", "gradcam", "--class", "1")
    plain = effnet.json("cam", tiny, CHELSEA, "-o", other, "--class", "1")
    assert document["score"] == pytest.approx(plain["score"], rel=1e-4)
    assert Image.open(out).size == Image.open(CHELSEA).size
    effnet.json("cam", tiny, CHELSEA, "-o", out, "--method=gradcam", "--layer", "stem.conv")
    for wrong in (["--layer", "x"], ["--backend", "reference"]):
        effnet.check_error(effnet("cam", tiny, CHELSEA, "-o", out, "--method", "gradcam", *wrong, "--quiet"), 2)


def test_compare_models(effnet, trained, tmp_path):
    data = tmp_path / "data"
    make_dataset(data / "test")
    make_dataset(data / "val", each=1)
    a, b = trained("a", ["class_0", "class_1", "class_2"]), trained("b", ["class_2", "class_0", "class_1"], seed=3)
    document = effnet.json("compare-models", a, b, "--data", data)
    assert document["images"] == 12 and document["data"] == str(data / "test")
    for side, model in (("a", a), ("b", b)):
        scored = effnet.json("eval", model, data / "test")
        assert document[side]["top1"] == scored["top1"] and document[side]["interval"] == scored["interval"]
        assert document[side]["mean_per_class"] == scored["mean_per_class"]
    assert document["difference"] == pytest.approx(document["b"]["top1"] - document["a"]["top1"])
    assert document["only_b"] - document["only_a"] == pytest.approx(document["difference"] * 12 / 100)
    low, high = document["interval"]
    assert low <= document["difference"] <= high and 0 < document["p"] <= 1
    same = effnet.json("compare-models", a, a, "--data", data / "test")
    assert same["difference"] == 0 and same["p"] == 1 and same["only_a"] == same["only_b"] == 0
    other = trained("other", ["class_0", "class_1", "rose"])
    effnet.check_error(effnet("compare-models", a, other, "--data", data, "--quiet"), 3)
    effnet.check_error(effnet("compare-models", a, b, "--data", tmp_path / "missing", "--quiet"), 3)
