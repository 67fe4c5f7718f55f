"""effnet finetune --from RUN and --model RUN: what happens to the images that an earlier run has used."""

import json
import shutil

import pytest
from PIL import Image

from test_finetune import COLOURS, base, finished, picture, split_of  # noqa: F401 (fixtures)


def test_added_images_keep_the_parts_of_the_others(effnet, base, finished, tmp_path):
    """--from: a new class and more images; no image of the first run changes its part."""
    data = tmp_path / "shapes"
    shutil.copytree(base / "shapes", data)
    for i in range(12):
        picture(data / "yellow" / f"{i}.jpg", (220, 210, 40), 9000 + i)
    picture(data / "red" / "new.jpg", COLOURS["red"], 9100)
    out = tmp_path / "run"
    result = effnet("finetune", data, "--out", out, "--from", finished[0], "--threads", 1, "--set", "train.epochs=1", "--json")
    assert result.returncode == 0, result.stderr
    before, after = split_of(finished[0]), split_of(out)
    assert len(after) == 73
    for line in (f"classes that {finished[0]} does not have: 1 ('yellow')", f"classes of {finished[0]} that are gone: none",
                 f"images: 60 are known from {finished[0]}, 13 are new"):
        assert line in result.stderr, result.stderr
    assert {name: after[name] for name in before} == before
    labels = {one["label"] for one in effnet.json("predict", out, data / "red" / "new.jpg")["images"][0]["top"]}
    assert labels == {*COLOURS, "yellow"}


def test_moved_and_encoded_again_images_keep_their_parts(effnet, base, finished, tmp_path):
    """--from knows an image by what it shows: renamed, moved to another folder, or saved again."""
    data = tmp_path / "others"
    before = split_of(finished[0])
    names = {}
    for number, name in enumerate(sorted(before)):
        new = f"{name.split('/')[0]}/deep/{number}_renamed.jpg"
        (data / new).parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            Image.open(base / "shapes" / name).save(data / new, quality=94)
        else:
            shutil.copy(base / "shapes" / name, data / new)
        names[new] = name
    out = tmp_path / "run"
    result = effnet("finetune", data, "--out", out, "--from", finished[0], "--threads", 1, "--set", "train.epochs=1")
    assert result.returncode == 0, result.stderr
    assert split_of(out) == {new: before[old] for new, old in names.items()}


def test_from_with_other_images_says_so(effnet, base, finished, tmp_path):
    data = tmp_path / "others"
    for number, (name, colour) in enumerate(sorted(COLOURS.items())):
        for i in range(10):
            picture(data / name / f"{i:03}.jpg", colour, 500000 + 1000 * number + i)
    result = effnet("finetune", data, "--out", tmp_path / "run", "--from", finished[0], "--threads", 1, "--set", "train.epochs=1")
    assert result.returncode == 0, result.stderr
    assert "none of the 30 images is in the run of --from" in result.stderr


@pytest.mark.parametrize("option, message", [("--from", "were training images of the run of --from"), ("--model", "were used to train")])
def test_training_images_of_an_earlier_run_in_test(effnet, base, finished, tmp_path, option, message):
    """The parts of folders stay, and the command says that the network has seen images of test."""
    data = tmp_path / "data"
    trained = [name for name, part in split_of(finished[0]).items() if part == "train"]
    for name in trained[::6]:
        (data / "test" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base / "shapes" / name, data / "test" / name)
    for part, first in (("train", 600000), ("val", 700000)):
        for number, (name, colour) in enumerate(sorted(COLOURS.items())):
            for i in range(6):
                picture(data / part / name / f"{i}.jpg", colour, first + 1000 * number + i)
    words = ["finetune", data, "--out", tmp_path / "run", option, finished[0], "--threads", 1, "--set", "train.epochs=1"]
    result = effnet(*words, "--json")
    assert result.returncode == 0, result.stderr
    assert f"{len(trained[::6])} images of test {message}" in result.stderr
    assert "--from RUN instead of --model" not in result.stderr, "which would not change the test part of DIR"
    assert json.loads(result.stdout)["split"]["used_test"] == len(trained[::6])
    again = effnet(*words, "--resume")
    assert "that no choice has seen" not in again.stdout and f"has used {len(trained[::6])} of them" in again.stdout
    # The new model knows all training images of the earlier run, also those that the new run does not have.
    assert effnet.json("eval", tmp_path / "run", base / "shapes")["used_images"] >= len(trained)


def test_the_images_of_the_model_without_their_parts(effnet, base, finished, tmp_path):
    """Only the training images of the run, in class folders: val and test are chosen from them, and --from would help."""
    data = tmp_path / "data"
    for name, part in split_of(finished[0]).items():
        if part == "train":
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(base / "shapes" / name, data / name)
    result = effnet("finetune", data, "--out", tmp_path / "run", "--model", finished[0], "--threads", 1, "--set", "train.epochs=1", "--json")
    assert result.returncode == 0, result.stderr
    split = json.loads(result.stdout)["split"]
    assert split["used_test"] == split["test"] > 1 and split["val"] > 1
    assert f"{split['val']} images of val and {split['test']} images of test were used to train" in result.stderr
    assert "--from RUN instead of --model leaves the images of its run in their parts" in result.stderr
