"""Training with several processes.

With synchronised batch norm, losses and gradients are those of one process with the same global batch. Each validation
image counts once. If a rank ends, the others end too; the resumed run gives the same bits. All processes have one
thread and exchange tensors over loopback. """

import csv
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

import numpy
import pytest

from conftest import changes, stop_midway
from test_train import ARCH, built, start, write_dataset  # noqa: F401 (a fixture)

RECIPE = """
seed = 3
[model]
name = "net.toml"
dropout = 0.2
[data]
augment = "inception"
workers = 1
resolution = 32
[train]
epochs = 3
batch = 12
[optimizer]
name = "sgd"
lr = 0.05
[schedule]
name = "constant"
warmup_epochs = 0
[ema]
decay = 0
[distributed]
sync_bn = true
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with three datasets. `data`: 36 training images, three batches per epoch, and 19 validation images (an
    odd number, not a multiple of 4). `batch`: 12 images, a single batch. `odd`: 13 images, a batch that cannot be
    divided equally among the processes."""
    project = tmp_path_factory.mktemp("distributed")
    write_dataset(project / "data", (12, 12, 12), (5, 6, 8))
    write_dataset(project / "batch", (4, 4, 4), (1, 1, 1))
    write_dataset(project / "odd", (4, 4, 5), (1, 1, 1))
    (project / "net.toml").write_text(ARCH)
    (project / "recipe.toml").write_text(RECIPE)
    return project


def train_arguments(project, count, data, out, *settings):
    launch = ["launch", "-n", str(count), "--threads", str(count)] if count > 1 else []
    train = ["train", str(project / "recipe.toml"), "--data", str(project / data), "--out", str(out), "--json"]
    if count == 1:
        train += ["--threads", "1"]
    return launch + train + [word for setting in settings for word in (("--set", setting) if "=" in setting else (setting,))]


@pytest.fixture(scope="module")
def run(effnet, project):
    """run(count, data, *settings): the folder of a finished run with `count` processes. Runs are cached."""
    made = {}

    def make(count, data, *settings):
        key = (count, data, settings)
        if key not in made:
            out = project / f"run{len(made)}"
            result = effnet(*train_arguments(project, count, data, out, *settings))
            assert result.returncode == 0, result.stderr
            assert json.loads(result.stdout)["world_size"] == count
            made[key] = out
        return made[key]
    return make


def metrics(out):
    with open(out / "metrics.csv") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def read_weights(file):
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: numpy.frombuffer(data[8 + length:][entry["data_offsets"][0]:entry["data_offsets"][1]], "<f4").astype(numpy.float64)
            for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"}


ONE_STEP = ("train.epochs=1", "optimizer.momentum=0", "optimizer.weight_decay=0")
# One step of plain SGD: (before - after) / LR is the gradient. A large rate makes the rounding of the weights
# negligible.
LR = 8.0


@pytest.mark.parametrize("data, count", [("batch", 2), ("batch", 4), ("odd", 2), ("odd", 4)])
def test_first_loss_and_gradients(run, data, count):
    batch = "train.batch=12" if data == "batch" else "train.batch=13"
    before = read_weights(run(1, data, batch, "optimizer.lr=1e-30", *ONE_STEP) / "model.safetensors")
    one, several = (run(n, data, batch, f"optimizer.lr={LR}", *ONE_STEP) for n in (1, count))
    expected, got = metrics(one)[0]["train_loss"], metrics(several)[0]["train_loss"]
    assert got == pytest.approx(expected, rel=1e-5)

    after, after_several = (read_weights(out / "model.safetensors") for out in (one, several))
    gradients = {name: (before[name] - after[name]) / LR for name in before if not re.search(r"running_(mean|var)$", name)}
    largest = max(numpy.linalg.norm(gradient) for gradient in gradients.values())
    assert largest > 0.01
    for name, gradient in gradients.items():
        difference = numpy.linalg.norm((after[name] - after_several[name]) / LR)
        # Some gradients are zero in exact arithmetic (a bias before a batch norm). Their rounding errors are compared
        # with the norm of all gradients.
        norm = numpy.linalg.norm(gradient)
        assert difference <= 1e-4 * (norm if norm > 1e-5 * largest else largest), name
    for name in before:
        if re.search(r"running_(mean|var)$", name):  # on each rank, the statistics are those of the whole batch
            assert numpy.abs(after[name] - after_several[name]).max() <= 1e-5 * max(1.0, numpy.abs(after[name]).max()), name


@pytest.mark.parametrize("count", [2, 4])
def test_epoch_losses(run, count):
    one, several = metrics(run(1, "data")), metrics(run(count, "data"))
    assert len(one) == len(several) == 3
    for expected, got in zip(one, several):
        assert got["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
        assert got["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-4)
        assert got["train_top1"] == pytest.approx(expected["train_top1"], abs=100 / 36)  # a tie may have another winner


@pytest.mark.parametrize("count", [2, 4])
def test_every_validation_image_counts_once(run, count):
    def rows(out):
        with open(out / "predictions.csv") as file:
            return list(csv.DictReader(file))
    one, several = rows(run(1, "data")), rows(run(count, "data"))
    key = list(one[0])[0]
    assert len(one) == 19 and len({row[key] for row in one}) == 19
    assert [row[key] for row in several] == [row[key] for row in one]
    for out in (run(1, "data"), run(count, "data")):
        share = metrics(out)[-1]["val_top1"] / 100 * 19  # of 19 images, each counted once
        assert share == pytest.approx(round(share), abs=1e-6)


def rank_of(process_id):
    with open(f"/proc/{process_id}/environ", "rb") as file:
        return int(re.search(rb"(?:^|\0)RANK=(\d+)", file.read()).group(1))


def ranks_of(launcher):
    """{rank: process id} of the launcher's processes that already run effnet-train."""
    found = {}
    for task in os.listdir(f"/proc/{launcher}/task"):
        with open(f"/proc/{launcher}/task/{task}/children") as file:
            for child in file.read().split():
                try:
                    if os.readlink(f"/proc/{child}/exe").endswith("effnet-train"):
                        found[rank_of(child)] = int(child)
                except OSError:
                    pass
    return found


def test_killed_rank_ends_the_others_and_the_run_resumes(effnet, project, run):
    """Rank 0 is killed, then another rank, then Ctrl-C. After each stop the run is resumed. Its result is bit for bit
    that of an uninterrupted run with as many processes."""
    settings = ("train.epochs=8", "checkpoint.every_steps=2")
    whole = run(2, "data", *settings)
    out = project / "broken"
    arguments = train_arguments(project, 2, "data", out, *settings, "--resume")
    for end in (1, 0, None):
        def stop(launcher):
            if end is None:
                launcher.send_signal(signal.SIGINT)
            elif end in (ranks := ranks_of(launcher.pid)):
                os.kill(ranks[end], signal.SIGKILL)

        code, _, err = stop_midway(lambda: start(effnet, arguments), out, changes(out / "checkpoints" / "last"), stop)
        if end is None:
            assert code == 130, err
        else:
            assert code == 137, err
            # The other one ends by itself, before the launcher asks it to.
            assert f"effnet: error: rank {end} of 2" in err and "was lost" in err and "interrupted" not in err, err
            assert f"rank {end} of 2 was killed by signal 9" in err, err
    result = effnet(*train_arguments(project, 2, "data", out, *settings, "--resume"))
    assert result.returncode == 0, result.stderr
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    both = [metrics(folder) for folder in (out, whole)]
    for rows in both:
        for row in rows:
            row.pop("images_per_second")
    assert both[0] == both[1]


def test_error_of_one_rank_is_printed_once_by_each_and_ends_all(effnet, project):
    result = effnet(*train_arguments(project, 2, "nothing", project / "no-data"))
    assert result.returncode == 3
    assert result.stderr.count("effnet: error: ") == 2  # one per rank: all ranks check before they exchange tensors


def test_incomplete_launcher_variables_are_refused(effnet, project):
    result = effnet(*train_arguments(project, 1, "data", project / "half"), env={"RANK": "0"})
    effnet.check_error(result, 2)
    assert "WORLD_SIZE" in result.stderr


def test_torchrun(effnet, project, run):
    """Debian's torchrun, if LibTorch is Debian's too. The store is in torchrun's agent."""
    torchrun = shutil.which("torchrun")
    libtorch = effnet.json("doctor").get("train", {}).get("libtorch", "")
    if torchrun is None or not libtorch.startswith("1.13") or sys.version_info[:2] != (3, 11):
        pytest.skip("torchrun of LibTorch's version is not installed")
    out = project / "torchrun"
    arguments = train_arguments(project, 1, "data", out)
    # -r and -t: on Python 3.11 torchrun 1.13 fails in its own code with their defaults.
    options = ["--nnodes", "1", "--nproc_per_node", "2", "--master_port", "29477", "-r", "1", "-t", "2", "--log_dir", str(project / "log"), "--no_python"]
    result = subprocess.run([torchrun, *options, effnet.path, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert (out / "model.safetensors").read_bytes() == (run(2, "data") / "model.safetensors").read_bytes()
