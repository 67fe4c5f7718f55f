"""effnet search supernet: the same file however often the training is stopped; its networks in a search and as models."""

import shutil
import signal

import pytest

from conftest import wait_for
from test_train import CLASSES, built, project, start  # noqa: F401 (fixtures)

SPACE = """
name = "stripes"
[choices]
kernel = [3, 5]
expand = [1, 3]
layers = [0, 1]
[base]
name = "stripes"
resolution = 32
classes = 3
bn_momentum = 0.8
preprocessing = "whole"
[base.stem]
channels = 16
[[base.stages]]
channels = 16
[[base.stages]]
channels = 32
stride = 2
[base.head]
channels = 64
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "stripes.toml"
    path.write_text(SPACE)
    return path


def arguments(space, project, file, *more):
    """The command. Options in `more` replace the defaults of this function."""
    more = list(map(str, more))
    words = ["search", "supernet", space]
    for option, value in {"--data": project / "data", "--out": file, "--threads": 1}.items():
        words += [] if option in more else [option, value]
    for setting in ("train.epochs=12", "train.batch=24", "checkpoint.every_steps=3"):
        words += ["--set", setting]
    return [*map(str, words), *more]


@pytest.fixture(scope="module")
def supernet(effnet, space, project, tmp_path_factory):
    """The file of a training that was not stopped, and its JSON."""
    file = tmp_path_factory.mktemp("supernet") / "net.safetensors"
    return file, effnet.json(*arguments(space, project, file))


def test_trains_and_reports(effnet, space, project, supernet):
    file, result = supernet
    assert list(result) == ["space", "file", "params", "steps", "epochs", "loss", "top1", "seconds", "device"]
    assert result["space"] == "stripes" and result["file"] == str(file)
    assert result["epochs"] == 12 and result["steps"] == 12 * 96 // 24
    assert result["top1"] > 50  # a guess has 33 %
    assert [one.name for one in file.parent.iterdir()] == [file.name]  # no checkpoint, no lock
    again = effnet(*arguments(space, project, file))
    effnet.check_error(again, 2)
    assert "exists" in again.stderr


def test_a_stopped_training_ends_with_the_same_file(effnet, space, project, supernet, tmp_path):
    file = tmp_path / "net.safetensors"
    checkpoint = tmp_path / "net.safetensors.checkpoint"
    stopped = []
    for stop in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = start(effnet, arguments(space, project, file))
        wait_for(lambda: checkpoint.exists() and checkpoint.stat().st_mtime_ns != before, process)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=300)
        stopped.append(process.returncode)
        if process.returncode == 130:
            assert "the state is saved" in errors and "the same command continues" in errors
    assert set(stopped) <= {-9, 130, 0} and stopped.count(0) < 4  # 0: ended before the signal arrived
    if not file.exists():
        assert effnet(*arguments(space, project, file)).returncode == 0
    assert file.read_bytes() == supernet[0].read_bytes()


def test_a_search_with_it_and_its_models(effnet, space, project, supernet, tmp_path):
    study, model, arch = tmp_path / "s.study", tmp_path / "model.safetensors", tmp_path / "found.toml"
    result = effnet("search", "run", study, "--space", space, "--evaluator", "supernet", "--supernet", supernet[0], "--controller",
                    "random", "--trials", 6, "--generation", 3, "--objective", "limit", "--target", "100M", "--threads", 1)
    assert result.returncode == 0, result.stderr
    best = effnet.json("search", "show", study)["best"]
    assert 0.5 < best["quality"] <= 1
    assert effnet("search", "export", study, "-o", arch, "--weights", model).returncode == 0
    # The model has the accuracy that the search saw, with effnet's engine too.
    measured = effnet.json("eval", model, project / "data/val")
    assert measured["top1"] == pytest.approx(100 * best["quality"], abs=100 / 36 + 1e-9)  # one of 36 images
    image = next((project / "data/val" / CLASSES[0]).iterdir())
    assert effnet.json("predict", model, image)["images"][0]["top"][0]["label"] in CLASSES
    run = tmp_path / "run"
    assert effnet("train", "search_proxy", "--data", project / "data", "--out", run, "--threads", 1, "--set", f"model.name={arch}", "--set",
                  f"model.init={model}", "--set", "train.epochs=1", "--set", "train.batch=24").returncode == 0


def test_a_search_takes_the_classes_of_the_images(effnet, project, tmp_path):
    """The commands of docs/search.md with a space of 10 classes and images of 3."""
    space, file, study, model = (tmp_path / name for name in ("ten.toml", "ten.safetensors", "s.study", "model.safetensors"))
    space.write_text(SPACE.replace("classes = 3", "classes = 10"))
    assert effnet(*arguments(space, project, file, "--set", "train.epochs=1")).returncode == 0
    run = ["search", "run", study, "--space", space, "--evaluator", "supernet", "--supernet", file, "--trials", 3, "--threads", 1]
    for command in (run, run, ["search", "worker", study]):
        result = effnet(*command)
        assert result.returncode == 0, result.stderr
    assert effnet("search", "export", study, "-o", tmp_path / "found.toml", "--weights", model).returncode == 0
    assert effnet.json("inspect", model)["classes"] == 3
    result = effnet("search", "run", tmp_path / "again.study", "--points-of", study, "--evaluator", "supernet", "--supernet", file,
                    "--threads", 1)
    assert result.returncode == 0, result.stderr
    # The images may move: the rest of the supernet's recipe stays. Held-out images would be some of those it was trained on.
    moved = tmp_path / "moved"
    shutil.copytree(project / "data", moved)
    result = effnet(*run[:2], tmp_path / "t.study", *run[3:], "--data", moved)
    assert result.returncode == 0, result.stderr
    result = effnet(*run[:2], tmp_path / "u.study", *run[3:], "--data", moved, "--set", "data.holdout=12")
    effnet.check_error(result, 3)
    assert "data.holdout: the supernet was trained with another value (got 12, expected 0)" in result.stderr


def test_a_study_keeps_its_supernet(effnet, space, project, supernet, tmp_path):
    file, study = tmp_path / "net.safetensors", tmp_path / "s.study"
    shutil.copy(supernet[0], file)
    command = ["search", "run", study, "--space", space, "--evaluator", "supernet", "--supernet", file, "--objective", "limit", "--target",
               "100M", "--trials", 4, "--threads", 1]
    assert effnet(*command, "--workers", 0).returncode == 0
    file.unlink()
    assert effnet.json(*arguments(space, project, file, "--set", "seed=9"))["epochs"] == 12  # other weights
    for words in (["search", "worker", study], command, ["search", "run", study]):
        result = effnet(*words)
        effnet.check_error(result, 3)
        assert f"{file}: not the supernet that the study was made with" in result.stderr
    shutil.copy(supernet[0], file)
    assert effnet.json("search", "worker", study)["complete"]


def test_wrong_input(effnet, space, project, supernet, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(SPACE.replace("kernel = [3, 5]", "kernel = [3, 7]"))
    study = tmp_path / "s.study"
    result = effnet("search", "run", study, "--space", other, "--evaluator", "supernet", "--supernet", supernet[0], "--objective", "limit",
                    "--target", "100M", "--trials", 2)
    effnet.check_error(result, 3)
    assert "a supernet of another space" in result.stderr
    for wrong, message in ((next((project / "data/val" / CLASSES[0]).iterdir()), "not a weights file"), (other, "not a weights file")):
        result = effnet("search", "run", study, "--space", space, "--evaluator", "supernet", "--supernet", wrong, "--trials", 2)
        effnet.check_error(result, 3)
        assert message in result.stderr and "effnet search supernet SPACE --data DIR -o FILE trains a supernet" in result.stderr
    for more, code, message in [(["--set", "model.name=resnet50"], 2, "--set model.name: it has no effect here"),
                                (["--set", "train.time_budget=1m"], 2, "train.time_budget"), (["--data", "/nonexistent"], 3, "/nonexistent"),
                                (["--device", "tpu"], 2, "--device"), (["--out", "/nonexistent/net"], 4, "/nonexistent")]:
        result = effnet(*arguments(space, project, tmp_path / "net", *more))
        effnet.check_error(result, code)
        assert message in result.stderr
