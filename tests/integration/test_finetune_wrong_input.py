"""effnet finetune refuses what cannot work: images, options and folders that cannot be used."""

import shutil

import pytest

from test_finetune import COLOURS, arguments, base, folder_of  # noqa: F401 (fixture)


@pytest.mark.parametrize("words, hint", [
    (["x", "--epochs", "3", "--out", "y"], "did you mean --set train.epochs=VALUE?"),
    (["x", "--output", "y"], "did you mean --out?"), (["x", "y"], "did you mean --out y?"),
    (["--out", "y"], "DIR: A folder with one folder of images for each class")])
def test_hints_for_wrong_usage(effnet, words, hint):
    result = effnet("finetune", *words)
    effnet.check_error(result, 2)
    assert hint in result.stderr


def one_class(root):
    folder_of(root, 5, {"red": COLOURS["red"]})


def empty(root):
    root.mkdir()


def same_name_in_other_case(root):
    folder_of(root, 5)
    shutil.copytree(root / "red", root / "Red")


def unreadable_class(root):
    folder_of(root, 5)
    for file in (root / "red").iterdir():
        file.write_bytes(b"no image")


def one_image_each(root):
    folder_of(root, 1)


def no_training_images(root):
    for part in ("val", "test"):
        folder_of(root / part, 3)


@pytest.mark.parametrize("make", [one_class, empty, same_name_in_other_case, unreadable_class, one_image_each, no_training_images])
def test_unusable_images(effnet, base, tmp_path, make):
    data = tmp_path / "data"
    make(data)
    result = effnet(*arguments(base, tmp_path / "run", data=data))
    assert result.returncode == 3, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("effnet: error: ")]
    assert len(errors) == 1 and "(got " in errors[0], result.stderr
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_model_without_weights_is_refused(effnet, base, tmp_path):
    result = effnet("finetune", base / "shapes", "--out", tmp_path / "run", "--model", base / "tiny.toml")
    assert result.returncode == 3 and "weights" in result.stderr
    assert not (tmp_path / "run").exists()


def test_out_that_cannot_be_used(effnet, base, tmp_path):
    data = folder_of(tmp_path / "data", 5)
    result = effnet(*arguments(base, data / "run", data=data))
    assert result.returncode == 2 and "inside of the folder of images" in result.stderr
    assert not (data / "run").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    result = effnet(*arguments(base, tmp_path / "full", data=data))
    assert result.returncode == 2 and "letter.txt" in result.stderr
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_a_list_in_the_run_folder_is_not_replaced(effnet, base, tmp_path):
    data, out = folder_of(tmp_path / "data", 5), tmp_path / "run"
    out.mkdir()
    text = "file,class,split\n" + "".join(f"{name}/{i:03}.jpg,{name},{('train', 'val', 'test')[i % 3]}\n" for name in COLOURS for i in range(5))
    (out / "split.csv").write_text(text)
    result = effnet(*arguments(base, out, "--labels", out / "split.csv", data=data))
    effnet.check_error(result, 2)
    assert "split.csv would be replaced" in result.stderr and (out / "split.csv").read_text() == text


def test_failed_command_leaves_nothing(effnet, base, tmp_path):
    empty(tmp_path / "data")
    assert effnet(*arguments(base, tmp_path / "run", data=tmp_path / "data")).returncode == 3
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["model.name", "data.split", "train.time_budget"])
def test_settings_that_finetune_sets_itself_are_refused(effnet, base, tmp_path, key):
    result = effnet(*arguments(base, tmp_path / "run", "--set", f"{key}=1m"))
    assert result.returncode == 2 and key in result.stderr
    assert not (tmp_path / "run").exists()


def test_two_lengths_are_refused(effnet, base, tmp_path):
    result = effnet(*arguments(base, tmp_path / "run", "--time-budget", "1m"))
    assert result.returncode == 2 and "--time-budget: it has no effect with --set train.epochs=2" in result.stderr
    assert not (tmp_path / "run").exists()


def test_from_needs_a_finetuned_run(effnet, base, tmp_path):
    result = effnet("finetune", base / "shapes", "--out", tmp_path / "run", "--from", base / "tiny.safetensors")
    assert result.returncode == 3 and "not a run of effnet finetune" in result.stderr
