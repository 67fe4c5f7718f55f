"""The MODEL argument: names, pulled models, files, run folders, checkpoints, arch files; and which weights a result
reports."""

import json
import os
import struct

import pytest

PHOTO = os.path.join(os.path.dirname(__file__), "../../examples/photos/chelsea.png")
TINY = 'name = "tiny"\nresolution = 32\nclasses = 3\n[stem]\nchannels = 8\n[[stages]]\nchannels = 8\n[head]\nchannels = 8\n'


def parts(path):
    """The header and the data of a safetensors file."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + size]), raw[8 + size:]


def write(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture(scope="module")
def run(effnet, tmp_path_factory):
    """A run folder with a model and a checkpoint. The checkpoint's averages are the model's weights; its plain weights
    are zeros."""
    folder = tmp_path_factory.mktemp("run")
    arch = folder / "tiny.toml"
    arch.write_text(TINY)
    effnet.json("export", arch, "--safetensors", folder / "w.safetensors", "--names", "effnet", "--quiet")
    effnet.json("import", folder / "w.safetensors", "--arch", arch, "-o", folder / "model.safetensors", "--quiet")
    header, data = parts(folder / "model.safetensors")
    metadata = header.pop("__metadata__")
    checkpoint = {"__metadata__": {**metadata, "effnet.checkpoint": "{}", "effnet.identity": "x"}}
    for name, row in header.items():
        begin, end = row["data_offsets"]
        checkpoint["ema/" + name] = row
        checkpoint["model/" + name] = {**row, "data_offsets": [begin + len(data), end + len(data)]}
    (folder / "checkpoints").mkdir()
    write(folder / "checkpoints" / "best", checkpoint, data + bytes(len(data)))
    old = dict(checkpoint, __metadata__={"effnet.checkpoint": "{}", "effnet.identity": "x"})
    write(folder / "checkpoints" / "last", old, data + bytes(len(data)))
    return folder


def logits(effnet, model, *options):
    return effnet.json("predict", model, PHOTO, "--logits", "--quiet", *options)["images"][0]["logits"]


def test_a_run_and_its_checkpoints(effnet, run, tmp_path):
    expected = logits(effnet, run / "model.safetensors")
    assert logits(effnet, run) == expected
    assert logits(effnet, run / "checkpoints" / "best") == expected
    assert effnet.json("inspect", run)["name"] == "tiny"
    for source in (run, run / "checkpoints" / "best"):
        made = tmp_path / "made.safetensors"
        effnet.json("import", source / "model.safetensors" if source == run else source, "-o", made)
        assert logits(effnet, made) == expected
    document = effnet.json("import", run / "checkpoints" / "best", "-o", tmp_path / "p.safetensors", "--weights", "model")
    assert document["averaged"] is False and set(logits(effnet, tmp_path / "p.safetensors")) == {0}

    result = effnet("predict", run / "checkpoints" / "last", PHOTO)
    effnet.check_error(result, 3)
    assert "a checkpoint of an older effnet" in result.stderr and "model.safetensors" in result.stderr


def test_a_model_file_of_a_checkpoint(effnet, run, tmp_path):
    out = tmp_path / "m.safetensors"
    document = effnet.json("export", run / "checkpoints" / "best", "--safetensors", out, "--verify")
    assert document["weights"] == "file" and document["names"] == "effnet" and document["max_abs_diff"] == 0
    assert logits(effnet, out) == logits(effnet, run)
    header, _ = parts(out)
    assert header["__metadata__"]["effnet.arch"] == parts(run / "model.safetensors")[0]["__metadata__"]["effnet.arch"]
    assert not any(name.startswith(("ema/", "model/")) for name in header)


def test_folders_that_are_not_a_model(effnet, run, tmp_path):
    result = effnet("predict", tmp_path, PHOTO)
    effnet.check_error(result, 3)
    assert "a folder without model.safetensors" in result.stderr
    result = effnet("predict", run / "checkpoints", PHOTO)
    effnet.check_error(result, 3)
    assert f"a checkpoint can be used as MODEL: {run}/checkpoints/best" in result.stderr


@pytest.mark.parametrize("kind", ["link", "disk", "loop", "folder", "broken"])
def test_unreadable_pulled_model_is_an_error(effnet, tmp_path, kind):
    home = tmp_path / "home"
    models = home / "models"
    model = models / "efficientnet_lite0.safetensors"
    home.mkdir()
    if kind == "disk":
        models.symlink_to("/nowhere/models")
    elif kind == "loop":
        models.symlink_to("models")
    else:
        models.mkdir()
        if kind == "link":
            model.symlink_to(tmp_path / "gone")
        elif kind == "folder":
            model.mkdir()
        else:
            model.write_bytes(b"")
    environment = {"EFFNET_HOME": str(home)}
    for command in (["predict", "efficientnet_lite0", PHOTO], ["inspect", "efficientnet_lite0"]):
        result = effnet(*command, "--quiet", "--json", env=environment)
        effnet.check_error(result, 4 if kind == "loop" else 3)
        assert "hint: " in result.stderr
    # Commands that need no weights, or random ones, still work, and so do other names.
    effnet.json("scale", "efficientnet_lite0", "--phi", "1", env=environment)
    document = effnet.json("bench", "efficientnet_lite0", "--random", "--seconds", "0.01", "--quiet", env=environment)
    assert document["weights"] == "random"


def test_results_report_the_weights_used(effnet, run, tmp_path):
    data = tmp_path / "data"
    for name in "012":
        (data / name).mkdir(parents=True)
    os.symlink(os.path.abspath(PHOTO), data / "0" / "a.png")
    commands = [["predict", "{}", PHOTO], ["eval", "{}", data], ["cam", "{}", PHOTO, "-o", tmp_path / "c.png"],
                ["bench", "{}", "--seconds", "0.01"], ["compare", "{}", "--backends", "engine,reference"],
                ["export", "{}", "--pth", tmp_path / "o.pth"]]
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "mobilenet_v2.safetensors").symlink_to(run / "model.safetensors")
    for command in commands:
        for model, expected in ((run, "file"), (run / "tiny.toml", "random"), ("mobilenet_v2", "pulled")):
            words = [model if word == "{}" else word for word in command]
            document = effnet.json(*words, "--quiet", env={"EFFNET_HOME": str(home)})
            assert document["weights"] == expected, (command, model)
        document = effnet.json(*[run if word == "{}" else word for word in command], "--random", "--quiet")
        assert document["weights"] == "random"
    lines = effnet("predict", run, "-", input=PHOTO + "\n", env={"EFFNET_HOME": str(home)}).stdout
    assert json.loads(lines)["weights"] == "file"


def test_name_takes_precedence_over_a_folder(effnet, run, tmp_path, monkeypatch):
    (tmp_path / "resnet18").symlink_to(run)
    monkeypatch.chdir(tmp_path)
    result = effnet("inspect", "resnet18", "--json")
    assert json.loads(result.stdout)["name"] == "resnet18"
    assert effnet.json("inspect", "./resnet18")["name"] == "tiny"
    assert "use ./resnet18 for the file or folder of this name" in effnet("predict", "resnet18", PHOTO).stderr
