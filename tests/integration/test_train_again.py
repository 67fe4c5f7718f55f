"""Resuming a run: from another working folder, without --data, with missing files. Also time budgets."""

import json
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import has_lines, kill, stop_midway, wait_for
from test_train import built, metrics, project, same_result, start, within_budget, train_arguments  # noqa: F401 (fixtures)


@pytest.fixture(scope="module")
def complete_run(effnet, project):
    out = project / "whole"
    return out, effnet.json(*train_arguments(project, out))


@pytest.fixture(scope="module")
def interrupted(effnet, project):
    """A run that was started in the folder of the data with relative paths, and killed in its second half."""
    out = project / "broken_off"
    arguments = ["train", "recipe.toml", "--data", "data", "--out", "broken_off", "--threads", "1", "--set", "checkpoint.every_steps=2",
                 "--set", "model.name=net.toml"]
    stop_midway(lambda: start(effnet, arguments, cwd=project), out, has_lines(out / "metrics.csv", 4), kill)
    assert not (out / "summary.json").exists()
    return out


def test_resume_needs_the_run_folder_only(effnet, project, interrupted, complete_run, tmp_path):
    """Without recipe and --data, in another working folder: arch file and images are found."""
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    result = subprocess.run([effnet.path, "train", "--resume", "--out", "run", "--threads", "1"], cwd=tmp_path, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    assert f'name = "{project}/net.toml"' in (out / "config.toml").read_text()
    assert f'folder = "{project}/data"' in (out / "config.toml").read_text()
    same_result(out, complete_run[0])


def test_initial_weights_are_found_from_another_folder(effnet, project, complete_run, tmp_path):
    """model.init is a relative path, and the folder's name has a space and an umlaut."""
    home = tmp_path / "ein Fäll"
    home.mkdir()
    shutil.copy(complete_run[0] / "model.safetensors", home / "init.safetensors")
    result = subprocess.run([effnet.path, *train_arguments(project, "run", "--set", "model.init=init.safetensors", "--set", "train.epochs=1")], cwd=home,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    assert f'init = "{home}/init.safetensors"' in (home / "run" / "config.toml").read_text()
    (home / "run" / "summary.json").unlink()
    result = effnet("train", "--resume", "--out", home / "run", "--threads", 1)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("damage", ["gone", "cut", "not a table"])
def test_a_lost_metrics_file_does_not_stop_a_run(effnet, project, interrupted, complete_run, tmp_path, damage):
    out = tmp_path / "run"
    shutil.copytree(interrupted, out)
    file = out / "metrics.csv"
    text = file.read_text()
    if damage == "gone":
        file.unlink()
    else:
        file.write_text(text[:text.index("\n") + 20] if damage == "cut" else "x" * len(text))
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "warning: " in result.stderr and "metrics.csv: lines of finished epochs are missing" in result.stderr
    assert (out / "model.safetensors").read_bytes() == (complete_run[0] / "model.safetensors").read_bytes()
    lines, all_lines = file.read_text().splitlines(), (complete_run[0] / "metrics.csv").read_text().splitlines()
    assert lines[0] == all_lines[0] and lines[-1].split(",")[:9] == all_lines[-1].split(",")[:9]


def test_missing_model_is_written_again(effnet, project, complete_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(complete_run[0], out)
    (out / "model.safetensors").unlink()
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "model.safetensors is missing; writing it again from the checkpoints" in result.stderr
    same_result(out, complete_run[0])
    (out / "model.safetensors").write_bytes(b"")  # a copy that was cut off
    assert effnet("train", "--resume", "--out", out, "--threads", 1).returncode == 0
    same_result(out, complete_run[0])
    (out / "model.safetensors").unlink()
    shutil.rmtree(out / "checkpoints")
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    effnet.check_error(result, 3)
    assert "model.safetensors and the checkpoints are missing" in result.stderr


def test_a_closed_terminal_saves_the_run(effnet, project, complete_run, tmp_path):
    """SIGHUP comes twice, from the shell and from the kernel. Under nohup the run continues."""
    out = tmp_path / "run"
    def hang_up_twice(process):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)

    code, _, err = stop_midway(lambda: start(effnet, train_arguments(project, out)), out, has_lines(out / "metrics.csv", 2), hang_up_twice)
    assert code == 130 and "the state is saved" in err, err
    process = start(effnet, [*train_arguments(project, out), "--resume"], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    same_result(out, complete_run[0])


def test_a_budget_that_is_too_short_is_refused(effnet, project, tmp_path):
    """The message gives the minimum, and the folder is left empty, so that the command can be repeated."""
    out = tmp_path / "run"
    result = effnet(*train_arguments(project, out, "--quiet", "--time-budget", "0.01s"))
    effnet.check_error(result, 2)
    found = re.search(r"train\.time_budget: too short \(got 0\.01 s, expected at least (\d+) s: loading and measuring take ", result.stderr)
    assert found, result.stderr
    assert not (out / "config.toml").exists() and not (out / "metrics.csv").exists()
    summary = within_budget(effnet, train_arguments(project, out, "--set", "train.epochs=0.1"), 3 * int(found[1]))
    assert summary["epochs"] > 0.1


def test_an_epoch_that_becomes_the_last_one_is_validated(effnet, project, tmp_path):
    """The process is paused until its time budget is over. At the end of the epoch the run finds that no time is left."""
    out, seconds = tmp_path / "run", 15
    begin = time.monotonic()
    process = start(effnet, train_arguments(project, out, "--time-budget", f"{seconds}s", "--set", "train.batch=4", "--set", "train.validate_every=1000000"))
    wait_for(has_lines(out / "metrics.csv", 2), process)
    process.send_signal(signal.SIGSTOP)
    time.sleep(max(0, begin + seconds - time.monotonic()))
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    rows = metrics(out)
    assert [row["val_top1"] != "" for row in rows] == [False] * (len(rows) - 1) + [True]
    assert json.loads((out / "summary.json").read_text())["saved_epoch"] == len(rows)


def test_a_run_does_not_end_with_an_epoch_without_validation(effnet, project, tmp_path):
    """train.epochs is set to the number of epochs done, and the last of these was not validated."""
    out = tmp_path / "run"
    rarely = ["--set", "train.validate_every=1000000"]
    stop_midway(lambda: start(effnet, train_arguments(project, out, *rarely)), out, has_lines(out / "metrics.csv", 4), kill)
    less = effnet(*train_arguments(project, out, *rarely, "--resume", "--quiet", "--set", "train.epochs=1"))
    effnet.check_error(less, 2)
    done = re.search(r"expected at least (\d+)\)", less.stderr)[1]
    result = effnet(*train_arguments(project, out, *rarely, "--resume", "--quiet", "--set", f"train.epochs={done}"))
    effnet.check_error(result, 2)
    assert f"the run would end with an epoch without validation (got {done}, expected more)" in result.stderr
    result = effnet("train", "--resume", "--out", out, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert [row["val_top1"] != "" for row in metrics(out)] == [False] * 5 + [True]


def test_a_time_budget_can_be_removed(effnet, project, tmp_path):
    """The run was fitted to its budget. Without it, train.epochs is the length again."""
    out = tmp_path / "run"
    budget = ["--time-budget", "60s"]
    stop_midway(lambda: start(effnet, train_arguments(project, out, *budget)), out, has_lines(out / "metrics.csv", 9), kill)
    without = train_arguments(project, out, "--resume", "--set", "train.time_budget=")
    result = effnet(*without, "--quiet", "--set", "train.epochs=1")
    effnet.check_error(result, 2)
    assert "train.epochs is below the number of epochs done (got 1" in result.stderr
    result = effnet(*without, "--set", "train.epochs=20")
    assert result.returncode == 0, result.stderr
    assert "without a time budget the run has train.epochs = 20 epochs instead of" in result.stderr
    assert len(metrics(out)) == 20


def test_a_bf16_warning_where_it_is_slow(effnet, project, tmp_path):
    with open("/proc/cpuinfo") as file:
        fast = re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", file.read()) is not None
    result = effnet(*train_arguments(project, tmp_path / "run", "--set", "train.precision=bf16", "--set", "train.epochs=0.1"))
    assert result.returncode == 0, result.stderr
    assert ("no instructions for bf16" in result.stderr) != fast


def test_invalid_values_are_refused_before_the_run(effnet, project, tmp_path):
    for setting in ("train.epochs=0", "train.validate_every=0.5", "train.accumulate=13", "optimizer.lr=-0.5", "train.time_budget=0s", "model.classes=1"):
        result = effnet(*train_arguments(project, tmp_path / "run", "--quiet", "--set", setting))
        effnet.check_error(result, 2)
        assert setting.split("=")[0] in result.stderr
    assert not (tmp_path / "run").exists()
