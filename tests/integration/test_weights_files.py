"""effnet import of various checkpoints: with other objects beside the weights, with prefixes, and files without
weights.

PyTorch writes the files. Files that it cannot write (newer data types, incomplete downloads) are made of bytes.
"""

import collections
import json
import pathlib
import struct

import numpy
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

CLASSES = 4


@pytest.fixture(scope="module")
def state():
    """The state dict of torchvision's MobileNetV2 with 4 classes."""
    torch.manual_seed(0)
    return torchvision.models.mobilenet_v2(num_classes=CLASSES).state_dict()


def safetensors(path, tensors, metadata=None, extra=()):
    """Writes (name, dtype, shape, bytes) rows as a safetensors file. Bytes, because numpy lacks some of the data
    types."""
    header, data = {}, b""
    if metadata != "absent":
        header["__metadata__"] = metadata
    rows = [(name, "F32", list(t.shape), t.numpy().tobytes()) for name, t in tensors.items() if t.is_floating_point()]
    for name, dtype, shape, raw in rows + list(extra):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def saved(path, what, **options):
    torch.save(what, path, **options)
    return path


def half(state):
    return collections.OrderedDict((k, v / 2 if v.is_floating_point() else v) for k, v in state.items())


def with_prefix(prefix, state):
    return collections.OrderedDict((prefix + k, v) for k, v in state.items())


@pytest.fixture
def imported(effnet, tmp_path):
    def run(file, *options):
        document = effnet.json("import", file, "-o", tmp_path / "out.safetensors", "--quiet", *options)
        text = (tmp_path / "out.safetensors").read_bytes()
        size = struct.unpack("<Q", text[:8])[0]
        row = json.loads(text[8:8 + size])["classifier.bias"]
        begin, end = row["data_offsets"]
        document["bias"] = numpy.frombuffer(text[8 + size + begin:8 + size + end], numpy.float32)
        return document

    return run


def test_reference_script_with_averages(imported, effnet, state, tmp_path):
    """A checkpoint of torchvision's references/classification with --model-ema: AveragedModel adds n_averaged and the
    prefix "module."."""
    file = saved(tmp_path / "w.pth", {"model": state, "optimizer": {"state": {}}, "epoch": 3,
                                      "model_ema": {"n_averaged": torch.tensor(7), **with_prefix("module.", half(state))}})
    document = imported(file)
    assert document["averaged"] is True and document["prefix"] == "model_ema.module."
    assert document["unused"] == ["model_ema.n_averaged"]
    assert (document["bias"] == half(state)["classifier.1.bias"].numpy()).all()
    plain = imported(file, "--weights", "model")
    assert plain["averaged"] is False and plain["unused"] == []
    assert (plain["bias"] == state["classifier.1.bias"].numpy()).all()
    message = effnet("import", file, "-o", tmp_path / "o.safetensors").stderr
    assert "warning: using the averaged weights at 'model_ema.module'; other weights are at 'model'; --weights model" in message
    assert "warning: 1 of the file's tensors are not used: 'model_ema.n_averaged'" in message
    effnet.check_error(effnet("import", file, "-o", tmp_path / "p.safetensors", "--strict"), 3)
    assert not (tmp_path / "p.safetensors").exists()
    effnet.check_error(effnet("import", file, "-o", tmp_path / "p.safetensors", "--weights", "best"), 2)


@pytest.mark.parametrize("name", ["total_ops", "features.0.0.total_params", "criterion.weight", "val_acc.correct"])
def test_surplus_tensors(imported, effnet, state, tmp_path, name):
    file = saved(tmp_path / "w.pth", {**state, name: torch.ones(1, dtype=torch.float64)})
    assert imported(file)["unused"] == [name]
    effnet.check_error(effnet("import", file, "-o", tmp_path / "p.safetensors", "--strict"), 3)
    effnet.check_error(effnet("import", saved(tmp_path / "v.pth", {**state, "features.19.0.weight": torch.ones(1)}),
                              "-o", tmp_path / "p.safetensors"), 3)


@pytest.mark.parametrize("name", ["modèle.pth", "日本語.pth", "mode\u0300le.pth", "🦊.pth"])
def test_archive_under_a_name_that_is_not_ascii(imported, state, tmp_path, name):
    assert imported(saved(tmp_path / name, state))["tensors"] == 262


def test_objects_beside_the_weights(imported, effnet, state, tmp_path):
    model = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60])
    objects = {"schedule": schedule.state_dict(), "seen": {1, 2}, "raw": b"\x00\xff", "z": 1 + 2j,
               "best": numpy.float64(0.5), "mean": numpy.ones(3), "out": pathlib.Path("runs/1"),
               "kind": torch.device("cpu"), "frozen": frozenset([3]), "when": __import__("datetime").date(2026, 1, 2),
               "version": collections.namedtuple("version_info", "a b").__name__, "decimal": __import__("decimal").Decimal("1.5")}
    for protocol in (2, 4):
        file = saved(tmp_path / "w.pth", {"state_dict": state, **objects}, pickle_protocol=protocol)
        assert imported(file)["unused"] == []
    assert imported(saved(tmp_path / "l.pth", {"net": state, **objects}, _use_new_zipfile_serialization=False))["tensors"] == 262
    whole = saved(tmp_path / "m.pth", model)
    result = effnet("import", whole, "-o", tmp_path / "o.safetensors")
    effnet.check_error(result, 3)
    assert "got an object of class 'torchvision.models.mobilenetv2.MobileNetV2'" in result.stderr
    assert "torch.save(model.state_dict(), path)" in result.stderr


PREFIXES = ["module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.", "model.module.", "model._orig_mod.module."]
KEYS = ["net", "ema", "weights", "params", "model", "state_dict", "network", "model_state_dict"]


def test_prefixes_and_nests_of_both_formats(imported, state, tmp_path):
    for prefix in PREFIXES:
        for file in (saved(tmp_path / "w.pth", with_prefix(prefix, state)),
                     safetensors(tmp_path / "w.safetensors", with_prefix(prefix, state))):
            assert imported(file)["prefix"] == prefix
    for key in KEYS:
        document = imported(saved(tmp_path / "w.pth", {"epoch": 1, key: with_prefix("module.", state)}))
        assert document["prefix"] == key + ".module." and document["averaged"] is (key == "ema")
    assert imported(saved(tmp_path / "w.pth", {"model": {"state_dict": state}}))["prefix"] == "model.state_dict."


def test_expanded_tensors_and_unused_dtypes(imported, effnet, state, tmp_path):
    expanded = {**state, "classifier.1.bias": torch.full((1,), 0.25).expand(CLASSES), "anchors": torch.ones(1).expand(10**7, 10**5)}
    document = imported(saved(tmp_path / "w.pth", expanded))
    assert document["bias"].tolist() == [0.25] * CLASSES and document["unused"] == ["anchors"]
    strided = {**state, "features.0.0.weight": state["features.0.0.weight"].contiguous(memory_format=torch.channels_last)}
    assert imported(saved(tmp_path / "w.pth", strided))["tensors"] == 262

    rows = [("mask", "U16", [3], bytes(6)), ("scale_factors", "F8_E4M3", [5], bytes(5)), ("ids", "U64", [1], bytes(8))]
    file = safetensors(tmp_path / "w.safetensors", state, None, rows)  # "__metadata__": null
    result = effnet("import", file, "-o", tmp_path / "o.safetensors")
    effnet.check_error(result, 3)  # a tensor named scale may belong to a layer
    assert "'scale_factors'" in result.stderr
    rows[1] = ("packed", *rows[1][1:])
    assert imported(safetensors(tmp_path / "w.safetensors", state, None, rows))["unused"] == ["ids", "mask", "packed"]
    needed = {k: v for k, v in state.items() if k != "classifier.1.bias"}
    file = safetensors(tmp_path / "n.safetensors", needed, "absent", [("classifier.1.bias", "F8_E5M2", [CLASSES], bytes(CLASSES))])
    result = effnet("import", file, "-o", tmp_path / "o.safetensors", "--arch", "mobilenet_v2")
    effnet.check_error(result, 3)
    assert "unsupported dtype (got 'F8_E5M2'" in result.stderr


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 14229757\n"
WRONG = {
    "a Git LFS pointer": (LFS, "git lfs pull"),
    "a web page": (b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title>", "download the file again"),
    "a JSON index of weights in several files": (
        b'{"metadata": {"total_size": 28}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}', "the index lists them"),
    "a gzip archive": (b"\x1f\x8b\x08" + bytes(40), "unpack it first"),
    "a text that begins with 'Not Found'": (b"Not Found", "download the file again"),
    "only zero bytes": (bytes(10000), "copy it again"),
    "an empty file": (b"", "copy it again"),
}


@pytest.mark.parametrize("what", WRONG)
def test_files_that_are_not_weights_are_named(effnet, tmp_path, what):
    content, hint = WRONG[what]
    image = tmp_path / "x.jpg"
    for name in ("w.safetensors", "w.pth", "w"):
        file = tmp_path / name
        file.write_bytes(content)
        for command in (["import", file, "-o", tmp_path / "o.safetensors"], ["predict", file, image], ["inspect", file]):
            result = effnet(*command)
            effnet.check_error(result, 3)
            assert f"{file}: not a weights file (got {what}" in result.stderr and hint in result.stderr


def test_incomplete_download_is_refused(effnet, state, tmp_path):
    files = [saved(tmp_path / "w.pth", state), safetensors(tmp_path / "w.safetensors", state),
             saved(tmp_path / "l.pth", state, _use_new_zipfile_serialization=False)]
    for file in files:
        whole = file.read_bytes()
        for size in (40, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:size])
            result = effnet("import", file, "-o", tmp_path / "o.safetensors")
            effnet.check_error(result, 3)
            assert "hint: the file is incomplete: download or copy it again" in result.stderr, (file, size, result.stderr)


def test_predict_points_to_import(effnet, state, tmp_path):
    file = saved(tmp_path / "w.pth", state)
    result = effnet("predict", file, tmp_path / "x.jpg")
    effnet.check_error(result, 3)
    assert f"hint: effnet import {file} -o w.safetensors converts published weights" in result.stderr
    file = safetensors(tmp_path / "timm.safetensors", state)
    assert f"hint: effnet import {file} -o timm.model.safetensors" in effnet("bench", file).stderr
