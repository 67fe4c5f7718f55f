"""effnet finetune: from a folder of images to a model, with resume and stated fallbacks. Images of an earlier run:
test_finetune_from.py. Wrong input: test_finetune_wrong_input.py."""

import csv
import json
import random
import shlex
import shutil
import signal

import numpy
import pytest
from PIL import Image, ImageDraw

from conftest import has_lines, kill, stop_midway
from test_train import start

TINY_ARCH = """
name = "tiny"
resolution = 32
classes = 10
preprocessing = "whole"
[stem]
channels = 8
[[stages]]
channels = 16
stride = 2
expand = 2
se = 0.25
[head]
channels = 48
"""
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def picture(path, colour, seed, side=48):
    """A shape of one colour on noise. Two seeds never give near-duplicates."""
    rng = random.Random(seed)
    image = Image.frombytes("RGB", (side, side), bytes(rng.randrange(60, 196) for _ in range(3 * side * side)))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y, size = rng.randrange(side), rng.randrange(side), rng.randrange(8, 24)
        jitter = tuple(max(0, min(255, c + rng.randrange(-30, 30))) for c in colour)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=jitter)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95)


def folder_of(root, images=20, colours=COLOURS):
    for number, (name, colour) in enumerate(sorted(colours.items())):
        for i in range(images):
            picture(root / name / f"{i:03}.jpg", colour, 1000 * number + i)
    return root


@pytest.fixture(scope="module")
def base(effnet, tmp_path_factory):
    """A model with weights: a very small network. Weights of a random seed are enough to test everything but accuracy."""
    root = tmp_path_factory.mktemp("finetune")
    arch = root / "tiny.toml"
    arch.write_text(TINY_ARCH)
    model = root / "tiny.safetensors"
    result = effnet("export", arch, "--random", "--names", "effnet", "--safetensors", model)
    assert result.returncode == 0, result.stderr
    folder_of(root / "shapes")
    return root


def arguments(base, out, *more, data=None):
    return ["finetune", data or base / "shapes", "--out", out, "--model", base / "tiny.safetensors", "--threads", 1,
            "--set", "train.epochs=2", "--set", "checkpoint.every_steps=2", *more]


def split_of(run):
    with open(run / "split.csv", newline="") as file:
        return {row["file"]: row["split"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def finished(effnet, base):
    out = base / "finished"
    return out, effnet.json(*arguments(base, out))


def test_bare_folder_to_model(effnet, base, finished):
    out, document = finished
    assert document["split"] == {"train": 36, "val": 12, "test": 12, "by": "content"} or sum(
        document["split"][part] for part in ("train", "val", "test")) == 60
    probe = document["probe"]
    assert set(probe) == {"val_top1", "interval", "knn_top1", "l2", "seconds", "test_top1", "test_interval", "test_p"}
    assert probe["test_interval"][0] <= probe["test_top1"] <= probe["test_interval"][1] and 0 < probe["test_p"] <= 1
    low, high = document["trial_interval"]
    assert low <= document["trial_top1"] <= high
    calibration = document["calibration"]
    assert calibration["right"] <= calibration["accepted"] <= calibration["images"] == document["split"]["val"]
    assert calibration["coverage"] == pytest.approx(calibration["accepted"] / calibration["images"])
    # With n validation images the temperature is at least 0.2, its lowest value, to the power n / (n + 20).
    n = calibration["images"]
    assert calibration["temperature"] >= 0.2 ** (n / (n + 20)) - 1e-9
    low, high = document["interval"]
    assert 0 <= low <= document["test_top1"] <= high <= 100
    assert abs(document["engine_top1"] - document["test_top1"]) < 100 / document["split"]["test"] + 1e-9
    for name in ("model.safetensors", "report.html", "split.csv", "label_errors.csv", "near_duplicates.csv", "predictions.csv",
                 "metrics.csv", "config.toml", "summary.json", "finetune.json", "trial/model.safetensors"):
        assert (out / name).stat().st_size > 0, name
    parts = split_of(out)
    assert len(parts) == 60
    tested = {row.split(",")[0] for row in (out / "predictions.csv").read_text().splitlines()[1:]}
    assert tested == {name for name, part in parts.items() if part == "test"}
    # Shapes of one colour are easy, even for random features.
    assert document["test_top1"] > 60


def test_the_end_says_what_the_validation_images_support(effnet, base, finished):
    out, document = finished
    result = effnet(*arguments(base, out, "--resume"))
    assert result.returncode == 0, result.stderr
    assert "the linear probe, without fine-tuning: " in result.stdout and "percentage points on test" in result.stdout or \
        "equally accurate on test" in result.stdout or document["epochs"] == 0
    accepted = document["calibration"]["accepted"]
    assert f"of the {accepted} validation image" in result.stdout or accepted == 0
    assert "95 % needs at least 73 such images without a mistake" in result.stdout or accepted == 0
    with open(out / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["label_name"] == row["name"].split("/")[0] for row in rows)
    assert {row["predicted_name"] for row in rows} <= set(COLOURS)


def test_a_checkpoint_has_no_calibration_but_its_run_has(effnet, base, finished):
    image = base / "shapes" / "red" / "000.jpg"
    result = effnet("predict", finished[0] / "checkpoints" / "best", image, "--min-score", "auto", "--quiet")
    effnet.check_error(result, 2)
    proposed = result.stderr.partition("the model of its run has one: effnet ")[2].strip().replace("IMAGE", str(image))
    assert effnet(*shlex.split(proposed)).returncode == 0
    # A model that was never calibrated gets the other hint.
    result = effnet("predict", base / "tiny.safetensors", image, "--min-score", "auto", "--quiet")
    effnet.check_error(result, 2)
    assert "effnet finetune calibrates the models that it makes" in result.stderr


def test_measuring_on_images_of_the_training_is_a_warning(effnet, base, finished):
    out, document = finished
    used, data = document["split"]["train"] + document["split"]["val"], base / "shapes"
    for words in (["eval", out, data], ["probe", out, "--data", data], ["eval", out / "model.safetensors", data]):
        result = effnet(*words, "--json")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["used_images"] == used
        assert f"{used} of 60 images were used to train the model of" in result.stderr, result.stderr
        assert f"--labels {out / 'split.csv'} measures the images of test only" in result.stderr
        result = effnet(*words, "--labels", out / "split.csv", "--json")
        document_of_test = json.loads(result.stdout)
        assert document_of_test["used_images"] == 0 and document_of_test["images"] == document["split"]["test"]
        assert "were used to train" not in result.stderr
    for weights in ("checkpoints/best", "trial/checkpoints/best", "start/final.safetensors"):
        assert effnet.json("eval", out / weights, data)["used_images"] == used
    both = effnet.json("compare-models", out, out / "trial", "--data", data)
    assert both["a"]["used_images"] == both["b"]["used_images"] == used
    assert "used_images" not in effnet.json("probe", base / "tiny.safetensors", "--data", data)


def test_report_during_the_trial_names_the_trial(effnet, finished, tmp_path):
    run = tmp_path / "run"
    (run / "trial").mkdir(parents=True)
    shutil.copy(finished[0] / "finetune.json", run)
    result = effnet("report", run)
    effnet.check_error(result, 3)
    assert "has not begun its final run" in result.stderr and "--resume" in result.stderr
    for name in ("config.toml", "metrics.csv"):
        shutil.copy(finished[0] / "trial" / name, run / "trial" / name)
    result = effnet("report", run)
    effnet.check_error(result, 3)
    assert f"hint: effnet report {run / 'trial'} shows its trial" in result.stderr


def test_resume_with_added_images_names_from(effnet, base, finished, tmp_path):
    data, out = tmp_path / "shapes", tmp_path / "run"
    shutil.copytree(base / "shapes", data)
    assert effnet(*arguments(base, out, data=data)).returncode == 0
    picture(data / "red" / "new.jpg", COLOURS["red"], 9200)
    result = effnet(*arguments(base, out, "--resume", data=data))
    effnet.check_error(result, 3)
    assert "red/new.jpg" in result.stderr and f"use --from {out}" in result.stderr


def test_resume_with_other_images_or_labels(effnet, base, finished, tmp_path):
    """A class that is gone would shift the labels of the others, and with them the classifiers of the first steps."""
    data, out = tmp_path / "shapes", tmp_path / "run"
    shutil.copytree(base / "shapes", data)
    assert effnet(*arguments(base, out, data=data)).returncode == 0
    model = (out / "model.safetensors").read_bytes()
    (data / "green").rename(tmp_path / "green")
    result = effnet(*arguments(base, out, "--resume", data=data))
    effnet.check_error(result, 3)
    assert "the images are not those of the stopped command (got class 'red' with" in result.stderr and "expected 'green' with" in result.stderr
    (tmp_path / "green").rename(data / "green")
    (data / "red" / "000.jpg").rename(tmp_path / "000.jpg")
    effnet.check_error(effnet(*arguments(base, out, "--resume", data=data)), 3)
    (tmp_path / "000.jpg").rename(data / "red" / "000.jpg")
    assert effnet(*arguments(base, out, "--resume", data=data)).returncode == 0
    assert (out / "model.safetensors").read_bytes() == model


def test_class_names_that_are_numbers(effnet, base, tmp_path):
    """In the order of names "10" is class 2. RUN/split.csv says that its classes are names."""
    data, out = tmp_path / "signs", tmp_path / "run"
    for number in range(11):
        for i in range(6):
            picture(data / str(number) / f"{i}.jpg", (20 * number, 200 - 15 * number, 90), 30000 + 100 * number + i)
    document = effnet.json(*arguments(base, out, "--set", "train.epochs=1", data=data))
    for words in (["eval", out, data], ["probe", out, "--data", data]):
        of_test = effnet.json(*words, "--labels", out / "split.csv")
        assert of_test["images"] == document["split"]["test"] and of_test["used_images"] == 0
    assert effnet.json("eval", out, data, "--labels", out / "split.csv")["top1"] == pytest.approx(document["engine_top1"])
    again = effnet.json(*arguments(base, tmp_path / "again", "--labels", out / "split.csv", "--set", "train.epochs=1", data=data))
    assert again["split"]["test"] == document["split"]["test"]
    assert effnet.json("inspect", tmp_path / "again")["classes"] == 11
    # A file of an earlier version can be used as before.
    split = out / "split.csv"
    split.write_text(split.read_text().replace("file,class_name,split", "file,class,split", 1))
    assert effnet(*arguments(base, out, "--set", "train.epochs=1", "--resume", data=data)).returncode == 0


def test_the_config_of_a_run_as_recipe(effnet, base, finished, tmp_path):
    """It names the initial model and the length of that run, which are not those of this one."""
    out = tmp_path / "run"
    config = tmp_path / "config.toml"
    text = (finished[0] / "trial" / "config.toml").read_text()
    assert 'time_budget = ""' in text and 'init = ""' in text
    config.write_text(text.replace('time_budget = ""', 'time_budget = "1s"').replace('init = ""', 'init = "/nonexistent"'))
    document = effnet.json(*arguments(base, out, "--recipe", config))
    assert document["epochs"] in (0, 2)
    assert 'time_budget = ""' in (out / "config.toml").read_text()


def test_small_images_are_shifted_at_a_given_resolution(effnet, base, tmp_path):
    for more, shift in ((["--set", "data.resolution=64"], 8), (["--set", "data.resolution=64", "--set", "data.shift=3"], 3),
                        (["--set", "data.resolution=40"], 0)):
        out = tmp_path / f"run{shift}"
        effnet.json(*arguments(base, out, *more, "--set", "train.epochs=1"))
        assert f"shift = {shift}\n" in (out / "config.toml").read_text()
        rule = effnet.json("inspect", out / "start" / "trial.safetensors")["preprocessing"]
        assert rule == effnet.json("inspect", out)["preprocessing"]  # the probe and the network see the same pixels


def test_run_folder_is_a_model(effnet, base, finished):
    out, document = finished
    image = base / "shapes" / "red" / "000.jpg"
    answer = effnet.json("predict", out, image)["images"][0]
    assert {one["label"] for one in answer["top"]} == set(COLOURS)
    assert "sure" in effnet.json("predict", out, image, "--min-score", "auto")["images"][0]
    test = json.loads((out / "finetune.json").read_text())["result"]
    assert test["images"] == document["split"]["test"]


def test_second_run_needs_resume_and_resume_changes_nothing(effnet, base, finished):
    out, document = finished
    result = effnet(*arguments(base, out))
    assert result.returncode == 2 and "already contains a run" in result.stderr and "--resume" in result.stderr
    before = (out / "model.safetensors").read_bytes()
    again = effnet.json(*arguments(base, out, "--resume"))
    assert again["test_top1"] == document["test_top1"]
    assert (out / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("where", ["trial", "."])
def test_killed_run_resumes_to_the_same_model(effnet, base, finished, tmp_path, where):
    out = tmp_path / "run"
    words = [str(word) for word in arguments(base, out)]

    stop_midway(lambda: start(effnet, words), out, has_lines(out / where / "metrics.csv", 2), kill)
    assert not (out / "report.html").exists()
    result = effnet(*words, "--resume")
    assert result.returncode == 0, result.stderr
    assert (out / "model.safetensors").read_bytes() == (finished[0] / "model.safetensors").read_bytes()


def test_many_images_are_trained_on_once(effnet, base, tmp_path):
    """With many images and few of them in val there is no second run: RUN has the curves and the model of the first."""
    data, draw = tmp_path / "cifar", numpy.random.default_rng(3)
    data.mkdir()
    for file, count in (("data_batch_1.bin", 26500), ("test_batch.bin", 200)):
        labels = draw.integers(0, 10, count)
        pixels = draw.integers(0, 160, (count, 3, 32, 32)) + 9 * labels[:, None, None, None]  # brightness is the class
        records = numpy.concatenate([labels[:, None], pixels.reshape(count, -1)], axis=1).astype(numpy.uint8)
        (data / file).write_bytes(records.tobytes())
    arguments_of = lambda out: [str(word) for word in (
        "finetune", data, "--out", out, "--model", base / "tiny.safetensors", "--threads", 2, "--set", "train.epochs=2",
        "--set", "data.resolution=16", "--set", "train.batch=256", "--set", "checkpoint.every_steps=20", "--set",
        "bn.fixed=true", "--set", "model.dropout=0", "--set", "data.augment=none")]
    out = tmp_path / "once"
    document = effnet.json(*arguments_of(out))
    assert document["split"]["test"] == 200 and document["split"]["train"] > 20000
    assert document["test_top1"] > 90 and document["best_top1"] >= document["probe"]["val_top1"] and abs(document["engine_top1"] - document["test_top1"]) < 1e-9
    assert not (out / "trial").exists() and "no validation curves" not in (out / "report.html").read_text()
    with open(out / "metrics.csv") as file:
        assert all(row["val_top1"] for row in csv.DictReader(file))
    assert len((out / "predictions.csv").read_text().splitlines()) == 201
    assert all(part != "test" or name.startswith("test_batch") for name, part in split_of(out).items())
    # A killed run continues to the same model.
    again = tmp_path / "again"
    stop_midway(lambda: start(effnet, arguments_of(again)), again, has_lines(again / "metrics.csv", 2), kill)
    result = effnet(*arguments_of(again), "--resume")
    assert result.returncode == 0, result.stderr
    assert (again / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    # A run with --from starts with the model of this run.
    more = effnet.json("finetune", base / "shapes", "--out", tmp_path / "more", "--from", out, "--threads", 1, "--set",
                       "train.epochs=1")
    assert more["split"]["test"] > 0


def test_three_images_of_each_class(effnet, base, tmp_path):
    data = folder_of(tmp_path / "data", 3)
    document = effnet.json(*arguments(base, tmp_path / "run", data=data))
    assert document["split"] == {"train": 3, "val": 3, "test": 3, "by": "content", "used_test": 0}
    assert document["probe"]["l2"] == 0.01


def test_recipe_of_a_dataset_checks_the_images(effnet, base, tmp_path):
    recipe = tmp_path / "shapes.toml"
    text = 'base = "finetune"\n[expect]\nclasses = 3\ntrain_images = {}\ntest_images = {}\nmetric = "mean_per_class"\n' \
           '[optimizer]\nlr = 1e-4\n'
    for train, test, code in ((50, 11, 3), (49, 11, 0)):
        recipe.write_text(text.format(train, test))
        result = effnet(*arguments(base, tmp_path / f"run{code}", "--recipe", recipe, "--json"))
        assert result.returncode == code, result.stderr
        if code:
            assert "expect.train_images" in result.stderr and "got 60" in result.stderr
            assert not (tmp_path / f"run{code}").exists()
    document = json.loads(result.stdout)
    assert document["metric"] == "mean_per_class"
    assert "optimizer.lr" not in {one["setting"] for one in document["plan"]}  # the recipe has decided
    result = effnet(*arguments(base, tmp_path / "other", "--recipe", "finetune_flowers102"))
    assert result.returncode == 3 and "expect.classes" in result.stderr
    assert effnet("train", "finetune_flowers102", "--data", base / "shapes", "--out", tmp_path / "x").returncode == 3


def test_official_parts_and_final(effnet, base, tmp_path):
    data = tmp_path / "data"
    for part, first in (("train", 0), ("val", 100), ("test", 200)):
        for number, (name, colour) in enumerate(sorted(COLOURS.items())):
            for i in range(6):
                picture(data / part / name / f"{first + i}.jpg", colour, 10000 * number + first + i)
    document = effnet.json(*arguments(base, tmp_path / "run", "--final", data=data))
    assert document["split"] == {"train": 18, "val": 18, "test": 18, "by": "folders", "used_test": 0}
    out = tmp_path / "run"
    assert json.loads((out / "finetune.json").read_text())["result"]["model"] == "trial"
    # The models of the run were trained on all images, those of the trial were not.
    for weights, used in (("", 54), ("checkpoints/best", 54), ("start/final.safetensors", 54), ("trial", 36), ("trial/checkpoints/best", 36),
                          ("start/trial.safetensors", 36)):
        if (out / weights).exists():
            assert effnet.json("eval", out / weights, data)["used_images"] == used - 36, weights
    assert "test top-1 of the trial's model" in (out / "report.html").read_text()


def test_labels_csv(effnet, base, tmp_path):
    images = tmp_path / "images"
    lines = ["file,class"]
    for number, (name, colour) in enumerate(sorted(COLOURS.items())):
        for i in range(10):
            picture(images / f"{name}_{i}.jpg", colour, 20000 * number + i)
            lines.append(f"{name}_{i}.jpg,{name}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    document = effnet.json(*arguments(base, tmp_path / "run", "--labels", tmp_path / "labels.csv", data=images))
    assert sum(document["split"][part] for part in ("train", "val", "test")) == 30
    (tmp_path / "labels.csv").write_text("\n".join(lines + ["absent.jpg,red"]) + "\n")
    result = effnet(*arguments(base, tmp_path / "run2", "--labels", tmp_path / "labels.csv", data=images))
    assert result.returncode == 3 and "absent.jpg" in result.stderr
    assert not (tmp_path / "run2" / "finetune.json").exists()


def test_budget_that_is_too_short_gives_the_probe(effnet, base, tmp_path):
    out = tmp_path / "run"
    result = effnet("finetune", base / "shapes", "--out", out, "--model", base / "tiny.safetensors", "--time-budget", "0.1s", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["epochs"] == 0
    assert document["probe"]["test_top1"] == document["engine_top1"] and document["probe"]["test_p"] == 1
    assert any("linear probe is the result" in warning for warning in document["warnings"])
    assert (out / "report.html").exists()
    assert effnet.json("predict", out, base / "shapes" / "red" / "000.jpg")["images"][0]["top"]


def test_class_with_one_image_is_only_trained_on(effnet, base, tmp_path):
    data = folder_of(tmp_path / "data", 10)
    picture(data / "white" / "only.jpg", (250, 250, 250), 1)
    document = effnet.json(*arguments(base, tmp_path / "run", data=data))
    assert split_of(tmp_path / "run")["white/only.jpg"] == "train"
    assert any("'white' (1)" in warning for warning in document["warnings"])


def test_doubtful_labels_of_a_weak_probe_may_be_right(effnet, base, tmp_path):
    """Two classes that look the same: the probe confuses them, so its doubts are of little value, and the warning says so."""
    colours = {"blue": COLOURS["blue"], "red": COLOURS["red"], "red again": COLOURS["red"]}
    document = effnet.json(*arguments(base, tmp_path / "run", data=folder_of(tmp_path / "data", 20, colours)))
    assert document["probe"]["val_top1"] < 90
    doubts = [warning for warning in document["warnings"] if "doubtful label" in warning]
    assert len(doubts) == 1 and "may be right" in doubts[0]
    # Three colours that the probe tells apart, and one blue picture among the red ones: no such remark.
    data = folder_of(tmp_path / "data2")
    picture(data / "red" / "wrong.jpg", COLOURS["blue"], 7)
    document = effnet.json(*arguments(base, tmp_path / "run2", data=data))
    assert document["probe"]["val_top1"] >= 90
    doubts = [warning for warning in document["warnings"] if "doubtful label" in warning]
    assert len(doubts) == 1 and "may be right" not in doubts[0]


def test_interrupt_is_exit_code_130(effnet, base, tmp_path):
    out = tmp_path / "run"
    words = [str(word) for word in arguments(base, out, "--set", "train.epochs=200")]
    code, _, errors = stop_midway(lambda: start(effnet, words), out, has_lines(out / "trial" / "metrics.csv", 3),
                                  lambda process: process.send_signal(signal.SIGINT))
    assert code == 130, errors
    assert "--resume" in errors


def test_resume_needs_the_same_options(effnet, base, finished):
    out, _ = finished
    before = (out / "model.safetensors").read_bytes()
    for more in (["--final"], ["--time-budget", "9m"], ["--set", "optimizer.lr=0.1"]):
        result = effnet(*arguments(base, out, "--resume", *more))
        assert result.returncode == 2 and "--resume needs the options" in result.stderr, result.stderr
    assert (out / "model.safetensors").read_bytes() == before
    # In another order they are the same; of two values of one setting the last one counts.
    words = arguments(base, out, "--resume")
    words[words.index("train.epochs=2")], words[words.index("checkpoint.every_steps=2")] = "checkpoint.every_steps=2", "train.epochs=2"
    assert effnet(*words, "--set", "train.epochs=2").returncode == 0
    assert (out / "model.safetensors").read_bytes() == before


def test_killed_command_before_its_first_result_can_be_repeated(effnet, base, finished, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("split.csv", "near_duplicates.csv", "contents.safetensors"):
        shutil.copy(finished[0] / name, out / name)
    assert effnet(*arguments(base, out)).returncode == 0
    assert (out / "model.safetensors").read_bytes() == (finished[0] / "model.safetensors").read_bytes()


def test_the_model_of_the_trial_is_calibrated(effnet, finished):
    out, document = finished
    probe_is_result = document["epochs"] == 0
    for model in (out,) if probe_is_result else (out, out / "trial"):
        calibration = effnet.json("inspect", model)["calibration"]
        assert calibration["temperature"] == pytest.approx(document["calibration"]["temperature"])
        assert calibration["min_score"] == pytest.approx(document["calibration"]["min_score"])


def test_a_new_classifier_has_no_calibration(effnet, base, finished, tmp_path):
    effnet.json("probe", finished[0], "--data", base / "shapes", "-o", tmp_path / "probe.safetensors")
    assert "calibration" not in effnet.json("inspect", tmp_path / "probe.safetensors")
