"""`effnet features`, `effnet similar` and `effnet probe` on generated images."""

import array
import json
import os
import random
import struct

import pytest
from PIL import Image


def photo(path, seed, colour=(128, 128, 128)):
    """Noise around a colour."""
    rng = random.Random(seed)
    image = Image.new("RGB", (48, 40))
    image.putdata([tuple(min(255, max(0, c + rng.randint(-40, 40))) for c in colour) for _ in range(48 * 40)])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return str(path)


COLOURS = {"red": (200, 60, 60), "green": (60, 200, 60), "blue": (60, 60, 200)}


@pytest.fixture
def colours(tmp_path):
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        for k, (name, colour) in enumerate(COLOURS.items()):
            for i in range(count):
                photo(tmp_path / "data" / split / name / f"{i}.png", f"{split} {k} {i}", colour)
    return tmp_path / "data"


def read_npy(path):
    data = open(path, "rb").read()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length].decode())  # written by this test's program
    assert header["descr"] == "<f4" and not header["fortran_order"]
    return header["shape"], array.array("f", data[10 + length:])


def read_safetensors(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__")
    return {name: (one["shape"], array.array("f", data[8 + length:][slice(*one["data_offsets"])]))
            for name, one in header.items()}, metadata


def test_features_in_both_formats_and_with_maps(effnet, tiny, colours, tmp_path):
    first = colours / "test/blue/0.png"
    npy = effnet.json("features", tiny, first, colours / "train", "-o", tmp_path / "a.npy")
    assert npy["images"] == 19 and npy["shape"] == [19, 24]
    assert npy["files"][0] == str(first)
    assert npy["files"][1:] == sorted(npy["files"][1:])
    shape, values = read_npy(npy["path"])
    assert shape == (19, 24)
    maps = effnet.json("features", tiny, first, colours / "train", "--maps", "-o", tmp_path / "a.safetensors")
    tensors, metadata = read_safetensors(maps["path"])
    assert tensors["features"] == ([19, 24], values)
    assert json.loads(metadata["files"]) == npy["files"]
    reductions = sorted(name for name in tensors if name.startswith("reduction_"))
    assert reductions and tensors["reduction_1"][0][0] == 19
    text = effnet("features", tiny, first, colours / "train", "-o", tmp_path / "b.npy")
    assert text.stdout.splitlines() == npy["files"]
    assert (tmp_path / "b.npy").read_bytes() == (tmp_path / "a.npy").read_bytes()
    effnet.json("features", tiny, first, colours / "train", "--no-cache", "-o", tmp_path / "c.npy")
    assert (tmp_path / "c.npy").read_bytes() == (tmp_path / "a.npy").read_bytes()


def test_features_of_corrupt_images(effnet, tiny, colours, tmp_path):
    broken = colours / "train/red/broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    result = effnet.json("features", tiny, colours / "train", "-o", tmp_path / "a.npy")
    assert result["images"] == 18 and [one["path"] for one in result["skipped"]] == [str(broken)]
    effnet.check_error(effnet("features", tiny, broken, colours / "test", "-o", tmp_path / "b.npy"), 3)
    assert not (tmp_path / "b.npy").exists()
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "missing", tmp_path / "missing.jpg"):
        effnet.check_error(effnet("features", tiny, place, "-o", tmp_path / "b.npy"), 3)
    for out in ("a.txt", "-", "a"):
        effnet.check_error(effnet("features", tiny, colours, "-o", out), 2)
    effnet.check_error(effnet("features", tiny, colours, "--maps", "-o", tmp_path / "b.npy"), 2)


def test_similar_finds_the_image_itself_first(effnet, tiny, colours):
    query = colours / "train/green/3.png"
    result = effnet.json("similar", tiny, query, "--in", colours / "train", "--top", 4)
    assert len(result["images"]) == 4
    assert result["images"][0]["path"] == str(query)
    similarities = [one["similarity"] for one in result["images"]]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(1, abs=1e-5)
    effnet.check_error(effnet("similar", tiny, colours / "missing.png", "--in", colours), 3)
    effnet.check_error(effnet("similar", tiny, query, "--in", colours / "missing"), 3)


def test_probe_of_each_layout(effnet, tiny, colours):
    result = effnet.json("probe", tiny, "--data", colours)
    assert result["evaluated_on"] == "test" and result["images"] == 9 and result["training_images"] == 24
    assert result["top1"] == 100 and result["mean_per_class"] == 100 and result["classes"] == 3
    low, high = result["interval"]
    assert 0 <= low <= result["top1"] <= high <= 100
    again = effnet.json("probe", tiny, "--data", colours, "--no-cache", "--threads", 1)
    for field in ("top1", "top5", "l2", "knn_top1", "knn_k", "label_errors"):
        assert again[field] == result[field]
    os.rename(colours / "test", colours.parent / "test")
    result = effnet.json("probe", tiny, "--data", colours)
    assert result["evaluated_on"] == "val" and result["images"] == 6 and result["training_images"] == 18
    result = effnet.json("probe", tiny, "--data", colours / "train", "--no-flip")
    assert result["evaluated_on"] == "cross_validation" and result["images"] == 18
    text = effnet("probe", tiny, "--data", colours / "train")
    assert "by cross-validation" in text.stdout


def test_probe_saves_a_model(effnet, tiny, colours, tmp_path):
    model = tmp_path / "model.safetensors"
    result = effnet.json("probe", tiny, "--data", colours, "-o", model)
    assert result["path"] == str(model)
    scores = effnet.json("eval", model, colours / "test")
    assert scores["images"] == 9 and scores["top1"] == 100
    top = effnet.json("predict", model, colours / "test/blue/1.png")["images"][0]["top"]
    assert top[0]["label"] == "blue" and len(top) == 3


def test_probe_refuses_wrong_data(effnet, tiny, colours, tmp_path):
    effnet.check_error(effnet("probe", tiny, "--data", tmp_path / "missing"), 3)
    photo(tmp_path / "single/train/a/0.png", 1)
    effnet.check_error(effnet("probe", tiny, "--data", tmp_path / "single"), 3)
    photo(tmp_path / "single/train/b/0.png", 2)  # no class has two images
    effnet.check_error(effnet("probe", tiny, "--data", tmp_path / "single"), 3)
    effnet.check_error(effnet("probe", tiny, "--data", colours, "-o", "-"), 2)
