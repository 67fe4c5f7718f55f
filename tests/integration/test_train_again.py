"""A run that is taken up again: from another working folder, without --data, with files missing; and time budgets."""

import re
import shutil
import signal
import subprocess

import pytest

from conftest import has_lines, killed, stop_midway
from test_train import built, place, same_result, start, within_budget, words  # noqa: F401 (fixtures)


@pytest.fixture(scope="module")
def whole(effnet, place):
    out = place / "whole"
    return out, effnet.json(*words(place, out))


@pytest.fixture(scope="module")
def broken_off(effnet, place):
    """A run that began in the data's folder with relative paths, and was killed in its second half."""
    out = place / "broken_off"
    arguments = ["train", "recipe.toml", "--data", "data", "--out", "broken_off", "--threads", "1", "--set", "checkpoint.every_steps=2",
                 "--set", "model.name=net.toml"]
    stop_midway(lambda: start(effnet, arguments, cwd=place), out, has_lines(out / "metrics.csv", 4), killed)
    assert not (out / "summary.json").exists()
    return out


def test_resume_needs_the_folder_alone(effnet, place, broken_off, whole, tmp_path):
    """No recipe, no --data, another working folder: arch file and images are found."""
    out = tmp_path / "run"
    shutil.copytree(broken_off, out)
    result = subprocess.run([effnet.path, "train", "--resume", "--out", "run", "--threads", "1"], cwd=tmp_path, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    assert f'name = "{place}/net.toml"' in (out / "config.toml").read_text()
    assert f'folder = "{place}/data"' in (out / "config.toml").read_text()
    same_result(out, whole[0])


def test_weights_to_begin_with_are_found_from_elsewhere(effnet, place, whole, tmp_path):
    """model.init as a relative path, and a run in a folder with a blank and an umlaut."""
    home = tmp_path / "ein Fäll"
    home.mkdir()
    shutil.copy(whole[0] / "model.safetensors", home / "init.safetensors")
    result = subprocess.run([effnet.path, *words(place, "run", "--set", "model.init=init.safetensors", "--set", "train.epochs=1")], cwd=home,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    assert f'init = "{home}/init.safetensors"' in (home / "run" / "config.toml").read_text()
    (home / "run" / "summary.json").unlink()
    result = effnet("train", "--resume", "--out", home / "run", "--threads", 1)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("damage", ["gone", "cut", "not a table"])
def test_a_lost_metrics_file_does_not_stop_a_run(effnet, place, broken_off, whole, tmp_path, damage):
    out = tmp_path / "run"
    shutil.copytree(broken_off, out)
    file = out / "metrics.csv"
    text = file.read_text()
    if damage == "gone":
        file.unlink()
    else:
        file.write_text(text[:text.index("\n") + 20] if damage == "cut" else "x" * len(text))
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "warning: " in result.stderr and "metrics.csv: lines of finished epochs are missing" in result.stderr
    assert (out / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()
    lines, all_lines = file.read_text().splitlines(), (whole[0] / "metrics.csv").read_text().splitlines()
    assert lines[0] == all_lines[0] and lines[-1].split(",")[:9] == all_lines[-1].split(",")[:9]


def test_a_lost_model_is_made_again(effnet, place, whole, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole[0], out)
    (out / "model.safetensors").unlink()
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "model.safetensors is missing; writing it again from the checkpoints" in result.stderr
    same_result(out, whole[0])
    (out / "model.safetensors").write_bytes(b"")  # a copy that was cut off
    assert effnet("train", "--resume", "--out", out, "--threads", 1).returncode == 0
    same_result(out, whole[0])
    (out / "model.safetensors").unlink()
    shutil.rmtree(out / "checkpoints")
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    effnet.check_error(result, 3)
    assert "model.safetensors and the checkpoints are missing" in result.stderr


def test_a_closed_terminal_saves_the_run(effnet, place, whole, tmp_path):
    """SIGHUP, twice, as shell and kernel send it; under nohup it goes on."""
    out = tmp_path / "run"
    def hang_up_twice(process):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)

    code, _, err = stop_midway(lambda: start(effnet, words(place, out)), out, has_lines(out / "metrics.csv", 2), hang_up_twice)
    assert code == 130 and "the state is saved" in err, err
    process = start(effnet, [*words(place, out), "--resume"], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    same_result(out, whole[0])


def test_a_budget_that_is_too_short_is_refused(effnet, place, tmp_path):
    """With the smallest that makes sense, and the folder stays free for the next try."""
    out = tmp_path / "run"
    result = effnet(*words(place, out, "--quiet", "--time-budget", "0.01s"))
    effnet.check_error(result, 2)
    found = re.search(r"train\.time_budget: too short \(got 0\.01 s, expected at least (\d+) s: loading and measuring take ", result.stderr)
    assert found, result.stderr
    assert not (out / "config.toml").exists() and not (out / "metrics.csv").exists()
    summary = within_budget(effnet, words(place, out, "--set", "train.epochs=0.1"), 3 * int(found[1]))
    assert summary["epochs"] > 0.1


def test_a_bf16_warning_where_it_is_slow(effnet, place, tmp_path):
    with open("/proc/cpuinfo") as file:
        fast = re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", file.read()) is not None
    result = effnet(*words(place, tmp_path / "run", "--set", "train.precision=bf16", "--set", "train.epochs=0.1"))
    assert result.returncode == 0, result.stderr
    assert ("no instructions for bf16" in result.stderr) != fast


def test_values_that_mean_nothing_are_refused_before_there_is_a_run(effnet, place, tmp_path):
    for setting in ("train.epochs=0", "train.validate_every=0.5", "train.accumulate=13", "optimizer.lr=-0.5", "train.time_budget=0s", "model.classes=1"):
        result = effnet(*words(place, tmp_path / "run", "--quiet", "--set", setting))
        effnet.check_error(result, 2)
        assert setting.split("=")[0] in result.stderr
    assert not (tmp_path / "run").exists()
