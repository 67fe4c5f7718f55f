"""effnet train: the reported accuracy is that of the saved model; errors are found before the first step; settings may
change on resume."""

import csv
import json
import os
import shutil

import numpy
import pytest

from test_train import built, project, train_arguments  # noqa: F401 (fixtures)


def rows_of(file):
    with open(file) as text:
        return list(csv.DictReader(text))


def top1_of(out):
    """The top-1 accuracy in predictions.csv."""
    rows = rows_of(out / "predictions.csv")
    return 100 * sum(row["label"] == row["predicted"] for row in rows) / len(rows)


def tensors_of(file):
    """The header entries of a safetensors file, by name, and the offset of the data."""
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return {name: entry for name, entry in json.loads(data[8:8 + length]).items() if name != "__metadata__"}, 8 + length


@pytest.fixture(scope="module")
def worse_last_epoch(effnet, project, built):  # noqa: F811
    """A run with two good epochs and a third one with a far too large learning rate, so that the best epoch is not the
    last."""
    out = project / "worse"
    steady = ["--set", "schedule.name=constant", "--set", "ema.decay=0"]
    effnet.json(*train_arguments(project, out, *steady, "--set", "train.epochs=2"))
    result = effnet(*train_arguments(project, out, *steady, "--set", "train.epochs=3", "--set", "optimizer.lr=30", "--resume"))
    assert result.returncode == 0, result.stderr
    return out, steady + ["--set", "train.epochs=3", "--set", "optimizer.lr=30", "--resume"], result


def test_short_run_has_similar_training_and_validation_accuracy(effnet, project, tmp_path):
    """The paper's momentum of batch norm and decay of the moving average, in 48 steps. Without their warm-up, the
    averages would mostly consist of initial values."""
    summary = effnet.json(*train_arguments(project, tmp_path / "run", "--set", "bn.momentum=0.99", "--set", "ema.decay=0.9999"))
    rows = rows_of(tmp_path / "run" / "metrics.csv")
    assert summary["saved_top1"] >= 90 and float(rows[-1]["train_top1"]) >= 90
    assert float(rows[-1]["val_loss"]) < 0.5  # chance is ln 3
    assert "far above" not in (tmp_path / "run" / "report.html").read_text()


def test_bn_warmup_with_micro_batches(effnet, project, tmp_path):
    summary = effnet.json(*train_arguments(project, tmp_path / "run", "--set", "bn.momentum=0.999", "--set", "train.accumulate=3",
                                 "--set", "ema.decay=0", "--set", "train.epochs=4"))
    assert summary["saved_top1"] >= 90


def test_reported_accuracy_is_that_of_the_saved_model(effnet, project, worse_last_epoch, tmp_path):
    out, resume_arguments, result = worse_last_epoch
    summary = json.loads((out / "summary.json").read_text())
    scores = [float(row["val_top1"]) for row in rows_of(out / "metrics.csv")]
    assert scores[2] < max(scores), "the third epoch should be worse"
    best = max(range(3), key=lambda i: (scores[i], -i)) + 1
    assert summary["best_epoch"] == summary["saved_epoch"] == best
    assert summary["saved_top1"] == summary["best_top1"] == pytest.approx(scores[best - 1])
    assert top1_of(out) == pytest.approx(scores[best - 1])
    assert f"validation top-1 of the saved model {scores[best - 1]:.2f} % (epoch {best}, the best)" in result.stdout
    scored = effnet.json("eval", out / "model.safetensors", project / "data" / "val")
    assert scored["top1"] == pytest.approx(scores[best - 1], abs=100 / 36 + 1e-9)

    # The same run with checkpoint.result=last, which needs no further step.
    last = tmp_path / "la\x1bst"  # a terminal would execute this byte
    shutil.copytree(out, last)
    result = effnet(*train_arguments(project, last, *resume_arguments, "--set", "checkpoint.result=last"))
    assert result.returncode == 0, result.stderr
    summary = json.loads((last / "summary.json").read_text())
    assert (summary["best_epoch"], summary["saved_epoch"]) == (best, 3)
    assert summary["saved_top1"] == pytest.approx(scores[2]) and top1_of(last) == pytest.approx(scores[2])
    assert f"saved model {scores[2]:.2f} % (epoch 3, the last)" in result.stdout
    assert "\x1b" not in result.stdout and "la\\x1bst" in result.stdout
    assert f"best validation top-1 {max(scores):.2f} % (epoch {best})" in result.stdout
    assert f"{scores[2]:.2f}<small>" in (last / "report.html").read_text()
    assert "warning: the accuracy is not above chance" in result.stderr or \
        "tell the accuracy from chance" in result.stderr or "warning: training" in result.stderr or scores[2] > 60


def test_a_checkpoint_is_a_model(effnet, project, worse_last_epoch, tmp_path):
    out, _, _ = worse_last_epoch
    photo = project / "data" / "val" / "down" / "00.png"
    answers = [effnet.json("predict", model, photo, "--logits")["images"][0]["logits"]
               for model in (out / "model.safetensors", out / "checkpoints" / "best", out / "checkpoints" / "last")]
    assert answers[0] == answers[1] and answers[0] != answers[2]
    exported = tmp_path / "exported.safetensors"
    effnet.json("export", out / "checkpoints" / "best", "--safetensors", exported)
    assert len(tensors_of(exported)[0]) == len(tensors_of(out / "model.safetensors")[0])


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_best_checkpoint_falls_back_to_the_last(effnet, project, worse_last_epoch, tmp_path, damage):
    source, resume_arguments, _ = worse_last_epoch
    out = tmp_path / "run"
    shutil.copytree(source, out)
    best = out / "checkpoints" / "best"
    data = bytearray(best.read_bytes())
    data[len(data) // 2] ^= 1
    best.unlink()
    if damage != "gone":
        best.write_bytes(data[:1000] if damage == "cut" else data)
    for name in ("summary.json", "report.html", "model.safetensors"):
        (out / name).unlink()
    result = effnet(*train_arguments(project, out, *resume_arguments))
    assert result.returncode == 0, result.stderr
    assert "checkpoints/best" in result.stderr and "saving the weights of the last epoch" in result.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["saved_epoch"] == 3 and top1_of(out) == pytest.approx(summary["saved_top1"])


def delete_result(out):
    """Deletes the result of a run, but not its checkpoints."""
    for name in ("summary.json", "report.html", "model.safetensors"):
        (out / name).unlink()


@pytest.mark.parametrize("other", ["epoch", "run"])
def test_foreign_best_checkpoint_falls_back_to_the_last(effnet, project, worse_last_epoch, tmp_path, other):
    """checkpoints/best belongs to another epoch than the best one, or to another run."""
    source, resume_arguments, _ = worse_last_epoch
    out = tmp_path / "run"
    shutil.copytree(source, out)
    other_checkpoint = out / "checkpoints" / "last"
    if other == "run":
        effnet.json(*train_arguments(project, tmp_path / "other", "--set", "train.epochs=1", "--set", "seed=77"))
        other_checkpoint = tmp_path / "other" / "checkpoints" / "best"
    data = other_checkpoint.read_bytes()
    (out / "checkpoints" / "best").unlink()
    (out / "checkpoints" / "best").write_bytes(data)
    delete_result(out)
    result = effnet(*train_arguments(project, out, *resume_arguments))
    assert result.returncode == 0, result.stderr
    assert "saving the weights of the last epoch" in result.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["saved_epoch"] == 3 and top1_of(out) == pytest.approx(summary["saved_top1"])


def test_finished_run_without_checkpoints_is_not_restarted(effnet, project, worse_last_epoch, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(worse_last_epoch[0], out)
    shutil.rmtree(out / "checkpoints")
    model = (out / "model.safetensors").read_bytes()
    result = effnet(*train_arguments(project, out, *worse_last_epoch[1][:-1], "--set", "train.epochs=9", "--resume", "--quiet"))
    effnet.check_error(result, 3)
    assert "cannot be extended, because its checkpoints are missing" in result.stderr
    assert (out / "model.safetensors").read_bytes() == model


def test_damaged_checkpoint_is_not_a_model(effnet, project, worse_last_epoch, tmp_path):
    data = bytearray((worse_last_epoch[0] / "checkpoints" / "best").read_bytes())
    data[-5] ^= 1
    (tmp_path / "flip").write_bytes(data)
    result = effnet("export", tmp_path / "flip", "--safetensors", tmp_path / "out.safetensors", "--quiet")
    effnet.check_error(result, 3)
    assert "corrupt checkpoint" in result.stderr and not (tmp_path / "out.safetensors").exists()


def test_a_start_that_fails_leaves_no_folder(effnet, project, tmp_path):
    start = lambda out: effnet("train", project / "recipe.toml", "--data", tmp_path / "nowhere", "--out", out, "--quiet")
    effnet.check_error(start(tmp_path / "run"), 3)
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    effnet.check_error(start(tmp_path / "mine"), 3)
    assert os.listdir(tmp_path / "mine") == []
    result = effnet("train", "--resume", "--out", tmp_path / "no run")
    effnet.check_error(result, 3)
    assert "no run to resume" in result.stderr and not (tmp_path / "no run").exists()


def test_non_finite_validation_ends_the_run(effnet, project, tmp_path):
    """The loss of the only step is finite, but the weights after it give no finite logits."""
    out = tmp_path / "run"
    result = effnet(*train_arguments(project, out, "--quiet", "--set", "train.epochs=1", "--set", "train.batch=96", "--set",
                           "optimizer.lr=10000", "--set", "schedule.warmup_epochs=0"))
    effnet.check_error(result, 3)
    assert "after step 1, epoch 1" in result.stderr and "36 of 36 validation images" in result.stderr
    assert "optimizer.lr" in result.stderr and not (out / "model.safetensors").exists()
    tensors, _ = tensors_of(out / "not_finite.safetensors")
    assert tensors["labels"]["shape"] == [36]


def test_non_finite_statistics_end_the_run(effnet, project, worse_last_epoch, tmp_path):
    """A moving mean is NaN. Training uses the statistics of the batch, so the error appears in validation."""
    model = tmp_path / "init.safetensors"
    model.write_bytes((worse_last_epoch[0] / "model.safetensors").read_bytes())
    tensors, base = tensors_of(model)
    name = next(name for name in sorted(tensors) if name.endswith("running_mean"))
    data = bytearray(model.read_bytes())
    first = base + tensors[name]["data_offsets"][0]
    data[first:first + 4] = numpy.float32("nan").tobytes()
    model.write_bytes(data)
    result = effnet(*train_arguments(project, tmp_path / "run", "--quiet", "--set", f"model.init={model}", "--set", "train.epochs=1"))
    effnet.check_error(result, 3)
    assert "after step 8, epoch 1" in result.stderr


def test_steps_and_epochs_count_from_one(effnet, project, tmp_path):
    result = effnet(*train_arguments(project, tmp_path / "run", "--quiet", "--set", "optimizer.lr=10000", "--set", "schedule.warmup_epochs=0"))
    effnet.check_error(result, 3)
    step = int(result.stderr.split("at step ")[1].split(",")[0])
    assert 1 <= step <= 8 and f"diverged at step {step}, batch {step} of epoch 1 (" in result.stderr
    data = (tmp_path / "run" / "not_finite.safetensors").read_bytes()
    metadata = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert (metadata["epoch"], metadata["batch"]) == ("1", str(step))


@pytest.mark.parametrize("change", ["renamed", "relabelled", "validation"])
def test_other_images_are_another_run(effnet, project, worse_last_epoch, tmp_path, change):
    out, resume_arguments, _ = worse_last_epoch
    data = tmp_path / "data"
    shutil.copytree(project / "data", data)
    if change == "renamed":
        (data / "train" / "across" / "00.png").rename(data / "train" / "across" / "00b.png")
    elif change == "relabelled":
        (data / "train" / "across" / "00.png").rename(data / "swap.png")
        (data / "train" / "down" / "00.png").rename(data / "train" / "across" / "zz.png")
        (data / "swap.png").rename(data / "train" / "down" / "zz.png")
    else:
        (data / "val" / "down" / "00.png").unlink()
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    shutil.copy(out / "config.toml", tmp_path / "run")
    shutil.copy(out / "checkpoints" / "last", tmp_path / "run" / "checkpoints")
    shutil.copy(out / "metrics.csv", tmp_path / "run")
    arguments = train_arguments(project, tmp_path / "run", *resume_arguments, "--quiet")
    arguments[arguments.index("--data") + 1] = str(data)
    result = effnet(*arguments)
    effnet.check_error(result, 3)
    what = "validation pictures = 35" if change == "validation" else "(got pictures = 96 (names and labels "
    assert what in result.stderr and "another model, recipe or data" in result.stderr


def test_settings_changed_on_resume_are_reported(worse_last_epoch):
    _, _, result = worse_last_epoch
    assert "resuming from" in result.stderr
    assert "optimizer.lr changes from 0.1 to 30.0" in result.stderr
    assert "train.epochs changes from 2.0 to 3.0" in result.stderr
    assert "the next step's learning rate is 30\n" in result.stderr


def test_finished_run_is_extended_or_refused(effnet, project, worse_last_epoch, tmp_path):
    out, resume_arguments, _ = worse_last_epoch
    before = (out / "summary.json").read_bytes()
    for setting, message in (("train.epochs=2", "after 3 epochs"), ("optimizer.lr=0.1", "another value of optimizer.lr"), ("seed=8", "another value of seed")):
        result = effnet(*train_arguments(project, out, *resume_arguments, "--quiet", "--set", setting))
        effnet.check_error(result, 2)
        assert message in result.stderr and "extends the run" in result.stderr
    result = effnet(*train_arguments(project, out, *resume_arguments, "--set", "train.validate_every=2"))
    assert result.returncode == 0 and "already finished; train.validate_every has no effect" in result.stderr
    assert (out / "summary.json").read_bytes() == before
    # A run that ended within an epoch cannot be continued with another length.
    part = tmp_path / "part"
    effnet.json(*train_arguments(project, part, "--set", "train.epochs=0.5"))
    result = effnet(*train_arguments(project, part, "--resume", "--quiet", "--set", "train.epochs=2"))
    effnet.check_error(result, 2)
    assert "within an epoch" in result.stderr


def test_corrupt_images_of_a_small_dataset(effnet, project, tmp_path):
    shutil.copytree(project / "data", tmp_path / "data")
    for name in ("train/down/03.png", "val/checks/04.png", "val/checks/05.png"):
        (tmp_path / "data" / name).write_bytes(b"no image")
    arguments = train_arguments(project, tmp_path / "run", "--set", "train.epochs=1")
    arguments[arguments.index("--data") + 1] = str(tmp_path / "data")
    result = effnet(*arguments)
    assert result.returncode == 0 and "3 corrupt images, see broken.csv" in result.stderr, result.stderr
    assert len(rows_of(tmp_path / "run" / "broken.csv")) == 3


def test_corrupt_images_of_the_final_evaluation(effnet, project, tmp_path):
    """With data.holdout, val/ is read only at the end. They are listed too, and the model is saved before they may end the run."""
    shutil.copytree(project / "data", tmp_path / "data")
    (tmp_path / "data" / "val" / "checks" / "04.png").write_bytes(b"no image")
    options = ["--set", "data.holdout=18", "--set", "train.epochs=1"]
    arguments = train_arguments(project, tmp_path / "run", *options)
    arguments[arguments.index("--data") + 1] = str(tmp_path / "data")
    result = effnet(*arguments)
    assert result.returncode == 0 and "1 corrupt image among the images of the final evaluation, see broken.csv" in result.stderr, result.stderr
    assert "top-1 on images that did not affect the training: " in result.stdout
    assert [os.path.basename(row["path"]) for row in rows_of(tmp_path / "run" / "broken.csv")] == ["04.png"]
    assert len(rows_of(tmp_path / "run" / "predictions.csv")) == 35
    arguments[arguments.index("--out") + 1] = str(tmp_path / "none allowed")
    effnet.check_error(effnet(*arguments, "--quiet", "--set", "data.broken_limit=0"), 3)
    assert (tmp_path / "none allowed" / "model.safetensors").is_file()


def fails_before_the_first_step(effnet, result, out, code):
    effnet.check_error(result, code)
    assert not (out / "metrics.csv").exists() and not (out / "checkpoints").exists()


def test_class_name_that_is_not_utf8_fails_at_once(effnet, project, tmp_path):
    shutil.copytree(project / "data", tmp_path / "data")
    for split in ("train", "val"):
        folder = os.fsencode(tmp_path / "data" / split)
        os.rename(folder + b"/down", folder + b"/caf\xe9")
    arguments = train_arguments(project, tmp_path / "run", "--quiet")
    arguments[arguments.index("--data") + 1] = str(tmp_path / "data")
    result = effnet(*arguments)
    fails_before_the_first_step(effnet, result, tmp_path / "run", 3)
    assert "UTF-8" in result.stderr and "caf" in result.stderr


def test_a_recipe_that_cannot_be_written_fails_at_once(effnet, project, worse_last_epoch, tmp_path):
    model = os.fsencode(tmp_path) + b"/caf\xe9.safetensors"
    shutil.copy(worse_last_epoch[0] / "model.safetensors", model)
    result = effnet(*train_arguments(project, tmp_path / "run", "--quiet", "--set", "model.init=" + os.fsdecode(model)))
    fails_before_the_first_step(effnet, result, tmp_path / "run", 2)
    assert "UTF-8" in result.stderr


@pytest.mark.parametrize("name", ["predictions.csv", "report.html"])
def test_folder_with_the_name_of_an_output_fails_at_once(effnet, project, tmp_path, name):
    (tmp_path / "run" / name).mkdir(parents=True)
    result = effnet(*train_arguments(project, tmp_path / "run", "--quiet"))
    fails_before_the_first_step(effnet, result, tmp_path / "run", 4)
    assert name in result.stderr


def test_initial_weights_may_be_any_model(effnet, project, worse_last_epoch, tmp_path):
    out, _, _ = worse_last_epoch
    scores = [float(row["val_top1"]) for row in rows_of(out / "metrics.csv")]
    still = ["--set", "train.epochs=1", "--set", "optimizer.lr=0", "--set", "bn.momentum=1", "--set", "ema.decay=0"]
    for i, (setting, expected) in enumerate((
            (f"model.init={out}", max(scores)), (f"model.init={out / 'checkpoints' / 'last'}", scores[2]),
            (f"model.name={out}", max(scores)), (f"model.name={out / 'checkpoints' / 'best'}", max(scores)))):
        summary = effnet.json(*train_arguments(project, tmp_path / str(i), *still, "--set", setting))
        assert summary["saved_top1"] == pytest.approx(expected), setting

    result = effnet(*train_arguments(project, tmp_path / "none", "--quiet", "--set", "model.init=efficientnet_b0"))
    effnet.check_error(result, 3)
    assert "not pulled" in result.stderr and "hint: effnet pull efficientnet_b0" in result.stderr
    result = effnet(*train_arguments(project, tmp_path / "arch", "--quiet", "--set", f"model.init={project / 'net.toml'}"))
    effnet.check_error(result, 3)
    assert "model.init: no weights" in result.stderr
