"""The published Lite weights against lite_golden.json (docs/reference/lite_weights.md, section 5): 500 images, computed
by PyTorch 1.13 in float32.

The tests are skipped if the optional data (tests/integration/conftest.py) is absent. By default Lite0 runs on all
images with the official preprocessing, and the other combinations on every fifth image. EFFNET_FULL=1 runs all. """

import hashlib
import json
import os

import numpy
import pytest
from PIL import Image

MODELS = ["lite0", pytest.param("lite1", marks=pytest.mark.slow), "lite2"]
FULL = os.environ.get("EFFNET_FULL") == "1"


@pytest.fixture(scope="module")
def golden(shared_file):
    with open(shared_file("../reference/lite_golden.json")) as file:
        return json.load(file)


def predict(effnet, model, paths, *more):
    document = json.loads(effnet("predict", model, "-", "--quiet", *more, input="\n".join(paths) + "\n").stdout.join(["[", "]"])
                          .replace("}\n{", "},\n{"))
    assert all("error" not in image for image in document), document
    return document


@pytest.mark.parametrize("rule", ["official", "pillow"])
@pytest.mark.parametrize("name", MODELS)
def test_predictions(effnet, pulled, golden, sample500, name, rule, tmp_path):
    pulled(f"efficientnet_{name}")
    result = effnet("pull", f"efficientnet_{name}", "--preprocess", rule, "--json")
    model = json.loads(result.stdout)["path"]
    rows = golden["models"][name]["sets"][rule]["predictions"]
    if not FULL and not (name == "lite0" and rule == "official"):
        rows = rows[::5]
    paths = [str(sample500.parent / row["path"]) for row in rows]
    images = predict(effnet, model, paths, "--top", "5")
    different = [row["path"] for row, image in zip(rows, images) if row["top5"][0] != image["top"][0]["index"]]
    assert len(different) <= 1, different
    worst = 0
    for row, image in zip(rows, images):
        scores = {one["index"]: one["score"] for one in image["top"]}
        worst = max([worst] + [abs(scores[index] - prob) for index, prob in zip(row["top5"], row["prob"]) if index in scores])
    print(f"{name} {rule}: {len(rows)} images, {len(different)} other top-1, largest probability difference {worst:.2g}")
    assert worst <= 1e-3
    if len(rows) == golden["models"][name]["sets"][rule]["n"]:
        right = sum(image["top"][0]["index"] == row["true"] for row, image in zip(rows, images))
        assert abs(right - golden["models"][name]["sets"][rule]["top1_correct"]) <= 1


def test_eval_gives_the_golden_accuracy(effnet, pulled, golden, sample500):
    pulled("efficientnet_lite0")
    document = effnet.json("eval", "efficientnet_lite0", str(sample500 / "val"))
    wanted = golden["models"]["lite0"]["sets"]["official"]
    assert document["images"] == 500 and document["skipped"] == []
    assert document["top1"] == pytest.approx(wanted["top1_correct"] / 5)
    assert document["top5"] == pytest.approx(wanted["top5_correct"] / 5)


@pytest.mark.parametrize("rule", ["official", "pillow"])
@pytest.mark.parametrize("name", MODELS)
def test_pixels_inputs_and_logits(effnet, pulled, golden, sample500, name, rule, tmp_path):
    pulled(f"efficientnet_{name}")
    model = json.loads(effnet("pull", f"efficientnet_{name}", "--preprocess", rule, "--json").stdout)["path"]
    reference = golden["models"][name]["sets"][rule]
    for path, wanted in reference["inputs"].items():
        pixels, dump = tmp_path / "pixels.png", tmp_path / "input.npy"
        image = effnet.json("predict", model, str(sample500.parent / path), "--dump-pixels", str(pixels), "--dump-input", str(dump), "--logits")
        if "resized_rgb_sha256" in wanted:
            assert hashlib.sha256(Image.open(pixels).convert("RGB").tobytes()).hexdigest() == wanted["resized_rgb_sha256"]
        tensor = numpy.load(dump)
        assert list(tensor.shape) == wanted["tensor"]["shape"]
        # Both values are at most 2 and rounded once or twice in float32: 2 ulp of 2 are 4.8e-7.
        assert numpy.abs(tensor.ravel()[:8] - numpy.float32(wanted["tensor"]["first8"])).max() <= 4.8e-7
        assert tensor.mean(dtype=numpy.float64) == pytest.approx(wanted["tensor"]["mean"], abs=1e-6)
        assert tensor.std(dtype=numpy.float64) == pytest.approx(wanted["tensor"]["std"], abs=1e-6)
        logits = numpy.array(image["images"][0]["logits"])
        assert numpy.abs(logits - reference["logits"][path]).max() <= 1e-4 * numpy.abs(reference["logits"][path]).max()
