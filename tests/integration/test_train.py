"""effnet train on a small dataset of stripes: accuracy, resuming to the same bits, error messages."""

import csv
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import numpy
import pytest
from PIL import Image

from conftest import changes, has_lines, kill, stop_midway, wait_for

# A step takes about 10 ms: long enough to kill a run in the middle, short enough for forty runs.
ARCH = """
name = "stripes_net"
resolution = 64
classes = 3
bn_momentum = 0.8
drop_path = 0.1
preprocessing = "whole"
[stem]
channels = 16
[[stages]]
channels = 24
stride = 1
expand = 3
se = 0.25
repeats = 2
[[stages]]
channels = 32
stride = 2
expand = 3
[head]
channels = 64
"""

RECIPE = """
seed = 5
[model]
name = "net.toml"
[data]
augment = "inception"
area_low = 0.5
[train]
epochs = 6
batch = 12
[optimizer]
name = "sgd"
lr = 0.1
nesterov = true
[schedule]
name = "cosine"
warmup_epochs = 1
[ema]
decay = 0.9
"""

CLASSES = ("across", "checks", "down")


def photo(kind, draw):
    """An image of 40 x 36 pixels: a shifted pattern in random colours, with noise."""
    y, x = numpy.mgrid[0:36, 0:40]
    wave = {"across": y, "down": x, "checks": (y // 4 + x // 4) * 4}[kind]
    on = ((wave + draw.integers(8)) // 4 % 2).astype(bool)[..., None]
    dark, light = draw.integers(0, 90, 3), draw.integers(140, 256, 3)
    pixels = numpy.where(on, light, dark) + draw.normal(0, 12, (36, 40, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def write_dataset(folder, train, val, names=CLASSES, seed=2):
    """Writes train/ and val/ with `train` and `val` images per class. `names` are the folder names of the classes."""
    draw = numpy.random.default_rng(seed)
    for split, counts in (("train", train), ("val", val)):
        for kind, name, count in zip(CLASSES, names, counts):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                photo(kind, draw).save(folder / split / name / f"{i:02}.png")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with data/train and data/val (three classes), a recipe and its network."""
    project = tmp_path_factory.mktemp("train")
    write_dataset(project / "data", [32] * 3, [12] * 3, seed=1)
    (project / "net.toml").write_text(ARCH)
    (project / "recipe.toml").write_text(RECIPE)
    return project


@pytest.fixture(scope="module", autouse=True)
def built(effnet):
    if not os.access(os.path.join(os.path.dirname(effnet.path), "effnet-train"), os.X_OK) and "EFFNET_TRAIN" not in os.environ:
        pytest.skip("effnet-train is not built")


def train_arguments(project, out, *more):
    return ["train", str(project / "recipe.toml"), "--data", str(project / "data"), "--out", str(out), "--threads", "1",
            *map(str, more)]


@pytest.fixture(scope="module")
def complete_run(effnet, project):
    """The folder of an uninterrupted run, and its summary."""
    out = project / "whole"
    return out, effnet.json(*train_arguments(project, out, "--set", "checkpoint.keep=2"))


def start(effnet, arguments, **options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")}
    return subprocess.Popen([effnet.path, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **options)


def metrics(out):
    """The rows of metrics.csv without images_per_second."""
    with open(out / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row.pop("images_per_second")) > 0
    return rows


def same_result(out, complete_run):
    assert (out / "model.safetensors").read_bytes() == (complete_run / "model.safetensors").read_bytes()
    assert metrics(out) == metrics(complete_run)
    assert (out / "predictions.csv").read_bytes() == (complete_run / "predictions.csv").read_bytes()


def test_run_learns_and_writes_its_files(effnet, project, complete_run):
    out, summary = complete_run
    assert {"best_top1", "best_epoch", "epochs", "images_per_second", "seconds", "params", "macs", "device", "isa", "world_size",
            "peak_rss_bytes", "data"} <= set(summary)
    assert summary["best_top1"] >= 90 and summary["epochs"] == 6 and summary["device"] == "cpu" and summary["world_size"] == 1
    assert summary == json.loads((out / "summary.json").read_text())

    rows = metrics(out)
    assert list(rows[0]) == ["epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5", "val_ema_top1"]
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6] and int(rows[-1]["step"]) == 48
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    # Linear warm-up from 0 over 8 steps, then a cosine over 40 steps. Steps count from 0.
    assert float(rows[0]["lr"]) == pytest.approx(0.1 * 7 / 8)
    assert float(rows[-1]["lr"]) == pytest.approx(0.1 * 0.5 * (1 + numpy.cos(numpy.pi * 39 / 40)))

    for name in ("config.toml", "checkpoints/last", "checkpoints/previous", "checkpoints/best", "report.html", "predictions.csv"):
        assert (out / name).is_file(), name
    assert list(out.glob("events.out.tfevents.*"))
    assert not list(out.glob(".*")) and not list((out / "checkpoints").glob(".*"))
    best = sorted(rows, key=lambda row: (-float(row["val_ema_top1"]), int(row["epoch"])))
    assert summary["best_epoch"] == int(best[0]["epoch"])
    kept = {path.name for path in (out / "checkpoints").glob("epoch-*")}
    assert kept == {"epoch-" + row["epoch"] for row in best[:2]}

    # The model file has the averaged weights of the last epoch: the engine classifies the same images correctly, except
    # at most one whose two best classes differ by a rounding error only.
    scored = effnet.json("eval", out / "model.safetensors", project / "data" / "val")
    assert scored["images"] == 36
    assert abs(scored["top1"] - float(rows[-1]["val_ema_top1"])) <= 100 / 36 + 1e-9
    answer = effnet.json("predict", out / "model.safetensors", project / "data" / "val" / "down" / "00.png")
    assert answer["images"][0]["top"][0]["label"] in CLASSES


def test_the_instruction_set_can_be_forced(effnet, project, tmp_path):
    """One step on all images with each instruction set. The summary names the set. The losses agree to 1e-5. The model's
    bits are the same for the same set and differ between sets."""
    def one_step(name, *more, **options):
        result = effnet(*train_arguments(project, tmp_path / name, "--json", "--set", "train.epochs=1", "--set", "train.batch=96",
                               "--set", "schedule.warmup_epochs=0", *more), **options)
        assert result.returncode == 0, result.stderr
        row, = metrics(tmp_path / name)
        assert row["step"] == "1"
        return json.loads(result.stdout)["isa"], float(row["train_loss"]), (tmp_path / name / "model.safetensors").read_bytes(), result.stderr

    none, loss, _, message = one_step("plain", "--set", "train.fused=false")
    assert none is None and " on cpu\n" in message
    models = {}
    for name in effnet.json("doctor")["isa"]:
        env = {"EFFNET_ISA": name}
        isa, own_loss, model, message = one_step(name, env=env)
        assert isa == effnet.json("doctor", env=env)["chosen_isa"] and f" on cpu ({isa})\n" in message
        assert own_loss == pytest.approx(loss, rel=1e-5)  # sums in another order, see docs/distributed.md
        models.setdefault(isa, set()).add(model)
    assert all(len(same) == 1 for same in models.values()), "the same set gives the same bits"
    assert len(set.union(*models.values())) == len(models), "different sets give different bits"


def test_a_wrong_instruction_set_is_refused_before_there_is_a_run(effnet, project, tmp_path):
    effnet.check_error(effnet(*train_arguments(project, tmp_path / "run"), env={"EFFNET_ISA": "avx9000"}), 4)
    assert not (tmp_path / "run").exists()


def test_the_written_configuration_gives_the_same_run(effnet, project, complete_run, tmp_path):
    effnet.json("train", complete_run[0] / "config.toml", "--data", project / "data", "--out", tmp_path / "again", "--threads", 1)
    same_result(tmp_path / "again", complete_run[0])


def test_killed_runs_resume_to_the_same_bits(effnet, project, complete_run, tmp_path):
    out = tmp_path / "killed"
    last = out / "checkpoints" / "last"
    rolls = random.Random(3)

    def kill_soon(process):
        time.sleep(rolls.uniform(0, 0.15))  # the run may be at any point
        process.kill()

    def run(workers):
        return train_arguments(project, out, "--resume", "--set", "checkpoint.every_steps=3", "--set", "checkpoint.keep=2", "--set", f"data.workers={workers}")

    for workers in (1, 2, 3):
        code, _, err = stop_midway(lambda: start(effnet, run(workers)), out, changes(last), kill_soon)
        assert code == -signal.SIGKILL, err
    effnet.json(*run(1))
    same_result(out, complete_run[0])
    assert {path.name for path in (out / "checkpoints").glob("epoch-*")} == {path.name for path in (complete_run[0] / "checkpoints").glob("epoch-*")}


def test_interrupt_saves_and_resumes(effnet, project, complete_run, tmp_path):
    out = tmp_path / "run"
    for number in (signal.SIGINT, signal.SIGTERM):
        code, stdout, stderr = stop_midway(lambda: start(effnet, train_arguments(project, out, "--resume")), out, changes(out / "checkpoints" / "last"),
                                           lambda process: process.send_signal(number))
        assert code == 130, stderr
        assert stdout == "" and "effnet: error: interrupted at step" in stderr and "hint: " in stderr
    effnet.json(*train_arguments(project, out, "--resume"))
    same_result(out, complete_run[0])


def test_threads_of_openmp_do_not_spin(effnet, project, tmp_path):
    """Whether started as effnet or as effnet-train. A value that the user has set is kept."""
    trainer = os.path.join(os.path.dirname(effnet.path), "effnet-train")
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    for number, (program, more, expected) in enumerate([(effnet.path, {}, b"passive"), (trainer, {}, b"passive"),
                                                        (trainer, {"OMP_WAIT_POLICY": "active"}, b"active")]):
        out = tmp_path / str(number)
        process = subprocess.Popen([program, *train_arguments(project, out, "--set", "train.epochs=100000")],
                                   env=environment | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(has_lines(out / "metrics.csv", 1), process)
            assert b"OMP_WAIT_POLICY=" + expected in open(f"/proc/{process.pid}/environ", "rb").read().split(b"\0")
            assert open(f"/proc/{process.pid}/comm").read().strip() == "effnet-train"
        finally:
            process.kill()
            process.wait()


def test_a_second_trainer_is_refused(effnet, project, tmp_path):
    out = tmp_path / "run"
    process = start(effnet, train_arguments(project, out, "--set", "train.epochs=100000"))
    try:
        wait_for(has_lines(out / "metrics.csv", 1), process)
        for more in ([], ["--resume"]):
            result = effnet(*train_arguments(project, out, *more))
            effnet.check_error(result, 4)
            assert "another process is training" in result.stderr
    finally:
        process.kill()
        process.communicate()


def test_finished_run_is_not_changed(effnet, project, complete_run):
    out, summary = complete_run

    def state():
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(out.rglob("*")) if path.is_file()}

    before = state()
    assert effnet.json(*train_arguments(project, out, "--resume")) == summary
    result = effnet(*train_arguments(project, out))
    effnet.check_error(result, 2)
    assert "already contains a run" in result.stderr and "--resume" in result.stderr
    assert state() == before


def make_interrupted_run(effnet, project, out):
    """Makes a run that was killed in its second half."""
    stop_midway(lambda: start(effnet, train_arguments(project, out, "--set", "checkpoint.every_steps=2")), out, has_lines(out / "metrics.csv", 4), kill)
    assert (out / "checkpoints" / "previous").exists()
    assert not (out / "summary.json").exists()


@pytest.fixture(scope="module")
def interrupted(effnet, project):
    out = project / "broken_off"
    make_interrupted_run(effnet, project, out)
    return out


@pytest.mark.parametrize("damage", ["cut", "empty", "bit"])
def test_damaged_checkpoint_falls_back_to_the_previous_one(effnet, project, complete_run, interrupted, tmp_path, damage):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    last = out / "checkpoints" / "last"
    data = bytearray(last.read_bytes())
    if damage == "bit":
        data[-1000] ^= 4
    last.write_bytes({"cut": data[:len(data) // 2], "empty": b"", "bit": data}[damage])
    result = effnet(*train_arguments(project, out, "--resume", "--json"))
    assert result.returncode == 0, result.stderr
    assert "resuming from the previous checkpoint" in result.stderr and "previous" in result.stderr
    same_result(out, complete_run[0])


def test_no_valid_checkpoint_is_an_error(effnet, project, interrupted, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    for name in ("last", "previous"):
        (out / "checkpoints" / name).write_bytes(b"not a checkpoint")
    result = effnet(*train_arguments(project, out, "--resume", "--quiet"))
    effnet.check_error(result, 3)
    assert "no intact checkpoint" in result.stderr


def test_a_checkpoint_of_another_run_is_refused(effnet, project, interrupted, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    before = (out / "checkpoints" / "last").read_bytes()
    for setting, message in (("seed=6", "got seed = 6, expected seed = 5"), ("train.batch=16", "got train.batch = 16, expected train.batch = 12"),
                          ("model.name=efficientnet_b0", "efficientnet_b0")):
        result = effnet(*train_arguments(project, out, "--resume", "--quiet", "--set", setting))
        effnet.check_error(result, 3)
        assert "another model, recipe or data" in result.stderr and message in result.stderr, result.stderr
    assert (out / "checkpoints" / "last").read_bytes() == before


def test_resume_needs_no_recipe(effnet, project, interrupted, complete_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    effnet.json("train", "--resume", "--data", project / "data", "--out", out, "--threads", 1)
    same_result(out, complete_run[0])


def limited(size):
    """Simulates a full disk for a process: no file can be larger than `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_loses_nothing(effnet, project, interrupted, complete_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    kept = (out / "checkpoints" / "last").read_bytes()
    process = start(effnet, train_arguments(project, out, "--resume", "--quiet"), preexec_fn=limited(len(kept) // 2))
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 4 and stdout == "", stderr
    assert stderr.startswith("effnet: error: ") and "cannot write" in stderr and len(stderr.splitlines()) <= 2
    assert (out / "checkpoints" / "last").read_bytes() == kept
    assert not list(out.rglob(".*"))
    effnet.json(*train_arguments(project, out, "--resume"))
    same_result(out, complete_run[0])


def test_unwritable_run_folders(effnet, project, tmp_path):
    (tmp_path / "file").write_text("")
    effnet.check_error(effnet(*train_arguments(project, tmp_path / "file" / "run", "--quiet")), 4)
    effnet.check_error(effnet(*train_arguments(project, tmp_path / "file", "--quiet")), 4)
    effnet.check_error(effnet(*train_arguments(project, "/proc/run", "--quiet")), 4)


def test_wrong_data(effnet, project, tmp_path):
    def refused(data, code, *message):
        out = tmp_path / "run"
        result = effnet("train", project / "recipe.toml", "--data", data, "--out", out, "--quiet")
        effnet.check_error(result, code)
        for word in message:
            assert word in result.stderr, result.stderr
        shutil.rmtree(out, ignore_errors=True)

    refused(tmp_path / "missing", 3)
    (tmp_path / "empty" / "train").mkdir(parents=True)
    refused(tmp_path / "empty", 3)
    shutil.copytree(project / "data" / "train" / "down", tmp_path / "flat" / "train")
    refused(tmp_path / "flat", 3)
    shutil.copytree(project / "data" / "train" / "down", tmp_path / "single" / "train" / "down")
    refused(tmp_path / "single", 3, "class")
    shutil.copytree(project / "data", tmp_path / "other")
    (tmp_path / "other" / "val" / "down").rename(tmp_path / "other" / "val" / "unheard_of")
    refused(tmp_path / "other", 3, "unheard_of")
    for name, setting, code, message in (("few", "model.classes=2", 3, "labels are out of range"),
                                      ("batch", "train.batch=1000", 3, "fewer images than a batch"),
                                      ("key", "optimizer.lrr=1", 2, "optimizer.lr"),
                                      ("value", "train.epochs=-1", 2, "train.epochs"),
                                      ("time", "train.time_budget=soon", 2, "time_budget"),
                                      ("init", "model.init=missing.pth", 3, "missing.pth")):
        result = effnet(*train_arguments(project, tmp_path / name, "--quiet", "--set", setting))
        effnet.check_error(result, code)
        assert message in result.stderr, (setting, result.stderr)
    effnet.check_error(effnet("train", "no_such_recipe", "--data", project / "data", "--out", tmp_path / "x"), 3)
    effnet.check_error(effnet(*train_arguments(project, tmp_path / "gpu", "--device", "tpu")), 2)
    effnet.check_error(effnet("train", project / "recipe.toml", "--data", project / "data"), 2)


def test_corrupt_images_are_skipped_and_listed(effnet, project, tmp_path):
    shutil.copytree(project / "data", tmp_path / "data")
    for name in ("train/down/03.png", "val/checks/04.png"):
        (tmp_path / "data" / name).write_bytes(b"no image")
    options = ["--data", tmp_path / "data", "--set", "train.epochs=1", "--set", "data.broken_limit=0.05", "--threads", 1]
    effnet.json("train", project / "recipe.toml", "--out", tmp_path / "run", *options)
    with open(tmp_path / "run" / "broken.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["train/down/03.png", "val/checks/04.png"] or \
        [row["path"] for row in rows] == ["checks/04.png", "down/03.png"]
    assert all(row["why"] for row in rows)
    options[options.index("data.broken_limit=0.05")] = "data.broken_limit=0"
    effnet.check_error(effnet("train", project / "recipe.toml", "--out", tmp_path / "run2", "--quiet", *options), 3)


def test_non_finite_loss_stops_the_run_and_saves_the_batch(effnet, project, tmp_path):
    out = tmp_path / "run"
    result = effnet(*train_arguments(project, out, "--quiet", "--set", "optimizer.lr=10000", "--set", "schedule.warmup_epochs=0"))
    effnet.check_error(result, 3)
    assert "not_finite.safetensors" in result.stderr
    data = (out / "not_finite.safetensors").read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    assert header["images"]["shape"] == [12, 64, 64, 3] and header["labels"]["shape"] == [12]


def test_holdout_selects_the_epoch_and_validation_gives_test_top1(effnet, project, tmp_path):
    summary = effnet.json(*train_arguments(project, tmp_path / "run", "--set", "data.holdout=18", "--set", "train.epochs=2"))
    assert "test_top1" in summary
    with open(tmp_path / "run" / "predictions.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert summary["test_top1"] == pytest.approx(100 * right / 36)


def within_budget(effnet, arguments, seconds):
    """The summary of a run with a time budget of `seconds`. If effnet refuses it as too short, the budget is three
    times the minimum that the message gives."""
    for _ in range(10):
        result = effnet(*arguments, "--time-budget", f"{seconds}s", "--json")
        needed = re.search(r"train\.time_budget: too short \(got .* s, expected at least (\d+) s: ", result.stderr)
        if needed is None:
            break
        seconds = 3 * int(needed[1])
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_time_budget_fits_the_run(effnet, project, tmp_path):
    summary = within_budget(effnet, train_arguments(project, tmp_path / "run", "--set", "train.epochs=100000"), 8)
    assert 0 < summary["epochs"] < 100000
    assert float(metrics(tmp_path / "run")[-1]["lr"]) < 0.02  # the cosine schedule has reached its end


def test_initial_weights_of_another_run(effnet, project, complete_run, tmp_path):
    summary = effnet.json(*train_arguments(project, tmp_path / "run", "--set", f"model.init={complete_run[0] / 'model.safetensors'}",
                                 "--set", "train.epochs=1", "--set", "optimizer.lr=0"))
    assert summary["best_top1"] == pytest.approx(float(metrics(complete_run[0])[-1]["val_ema_top1"]))


def test_synthetic_images_need_no_data(effnet, project, tmp_path):
    summary = effnet.json("train", project / "recipe.toml", "--out", tmp_path / "run", "--threads", 1, "--set", "data.synthetic=24",
                          "--set", "model.classes=3", "--set", "train.epochs=1")
    assert summary["best_top1"] is None and summary["images_per_second"] > 0


def test_only_errors_on_stderr_when_quiet(effnet, project, tmp_path):
    result = effnet(*train_arguments(project, tmp_path / "run", "--quiet", "--json", "--set", "train.epochs=1"))
    assert result.returncode == 0 and result.stderr == "" and json.loads(result.stdout)


def test_effnet_and_effnet_train_have_the_same_version(effnet, project, tmp_path):
    document = effnet.json("doctor")
    assert document["train"]["found"] and document["train"]["version"] == document["version"]
    assert document["train"]["libtorch"]
    result = effnet("train", "x", env={"EFFNET_TRAIN": str(tmp_path / "missing")})
    effnet.check_error(result, 4)
    assert "make train" in result.stderr
    other = tmp_path / "other"
    other.write_text('#!/bin/sh\necho \'{"version": "99.0"}\'\n')
    other.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(effnet.path)
    for itself in (effnet.path, link):  # would execute itself forever
        result = effnet("train", "x", env={"EFFNET_TRAIN": str(itself)})
        assert result.returncode == 4 and "effnet itself" in result.stderr
    result = effnet("train", "x", env={"EFFNET_TRAIN": str(other)})
    effnet.check_error(result, 4)
    assert "99.0" in result.stderr and "make train" in result.stderr
    assert effnet.json("doctor", env={"EFFNET_TRAIN": str(other)})["problems"]
    assert "RECIPE" in effnet("train", "--help").stdout
