"""effnet scale search: one result whatever the number of workers and however often they are killed; wrong input."""

import json
import os
import shlex
import shutil
import signal
import sqlite3

import pytest

from conftest import kill_at_random, wait_for
from test_search import children_of
from test_train import built, project, start  # noqa: F401 (fixtures)

ARCH = """
name = "small"
resolution = 16
classes = 3
preprocessing = "whole"
[stem]
channels = 8
stride = 1
[[stages]]
channels = 8
expand = 1
[[stages]]
channels = 16
stride = 2
repeats = 2
expand = 2
[head]
channels = 32
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("scale_search") / "small.toml"
    path.write_text(ARCH)
    return path


def arguments(base, project, study, *more):
    """The command. Options in `more` replace the defaults of this function."""
    more = list(map(str, more))
    defaults = {"--data": project / "data", "--threads": 1, "--step": 0.25, "--tolerance": 0.3, "--epochs": "1,3", "--seeds": 2,
                "--timeout": 2}
    words = ["scale", "search", base, "--study", study, "--set", "train.batch=24", "--set", "checkpoint.every_steps=1"]
    for option, value in defaults.items():
        words += [] if option in more else [option, value]
    return [*map(str, words), *more]


@pytest.fixture(scope="module")
def by_one(effnet, base, project, tmp_path_factory):
    """The result of one worker that is not disturbed."""
    folder = tmp_path_factory.mktemp("one")
    document = effnet.json(*arguments(base, project, folder / "one.study", "-o", folder / "family"))
    document["folder"] = folder
    return document


def test_finds_coefficients_and_writes_the_family(effnet, by_one):
    assert effnet("scale", "--quiet", "search").returncode == 2  # BASE and --study are missing
    assert by_one["complete"] and by_one["base"] == "small" and by_one["cost"] == "macs"
    rows, trials = by_one["rows"], by_one["trials"]
    candidates = {(row["alpha"], row["beta"], row["gamma"]) for row in rows}
    assert len(candidates) == len(rows) >= 4
    assert all(1.4 <= row["factor"] <= 2.6 for row in rows)  # 2 within 30 %
    first = [trial for trial in trials if trial["generation"] == 0]
    second = [trial for trial in trials if trial["generation"] == 1]
    assert len(first) == 2 * len(rows) and len(second) == 2 * -(-len(rows) // 3) and len(trials) == len(first) + len(second)
    assert {trial["epochs"] for trial in second} == {3} and all(trial["state"] == "done" for trial in trials)
    # The best part of the first round is in the second, and the best of the second is the answer.
    mean = {key: sum(t["score"] for t in first if (t["alpha"], t["beta"], t["gamma"]) == key) / 2 for key in candidates}
    went_on = {(t["alpha"], t["beta"], t["gamma"]) for t in second}
    assert min(mean[key] for key in went_on) >= max(mean[key] for key in candidates - went_on)
    assert by_one["best"] == rows[0] and rows[0]["round"] == 1
    assert by_one["coefficients"] == {key: rows[0][key] for key in ("alpha", "beta", "gamma")}
    # Seven networks, each larger than the one before.
    assert [os.path.basename(file) for file in by_one["files"]] == [f"small-phi{phi}.toml" for phi in range(1, 8)]
    macs = [effnet.json("inspect", file)["macs"] for file in by_one["files"]]
    assert macs == sorted(set(macs))
    assert not (by_one["folder"] / "one.study.runs").exists()


def test_networks_beyond_the_limits_are_left_out(effnet, base, project, tmp_path):
    """With steps of 1 the only candidate of twice the cost is alpha = 2. 2^7 times the depth is above the limit of 100."""
    result = effnet(*arguments(base, project, tmp_path / "s", "--step", 1, "--epochs", 1, "--seeds", 1, "-o", tmp_path / "family", "--json"))
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["coefficients"] == {"alpha": 2, "beta": 1, "gamma": 1} and document["complete"]
    assert [os.path.basename(file) for file in document["files"]] == [f"small-phi{phi}.toml" for phi in range(1, 7)]
    assert "warning: no arch file for phi = 7: " in result.stderr, result.stderr


def comparable(document):
    return [(t["generation"], t["alpha"], t["beta"], t["gamma"], t["seed"], t["epochs"], t["score"]) for t in document["trials"]]


def test_workers_that_are_killed_lose_nothing(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "killed.study"
    command = arguments(base, project, study)
    assert effnet(*command, "--workers", "0").returncode == 0  # makes the study

    def states():
        with sqlite3.connect(study) as database:
            return [row[0] for row in database.execute("SELECT state FROM effnet_trials")]

    kill_at_random(lambda: start(effnet, command), workers=3, kills=8, seed=7, longest_s=1.5,
                   is_ready=lambda: "running" in states() or states().count("done") > 8)
    document = effnet.json(*command)
    assert document["complete"] and comparable(document) == comparable(by_one)
    assert document["coefficients"] == by_one["coefficients"]
    with sqlite3.connect(study) as database:
        assert database.execute("SELECT max(attempts) FROM effnet_trials").fetchone()[0] > 1  # a killed trial was repeated
        assert database.execute("SELECT count(*) FROM (SELECT DISTINCT generation, candidate, seed FROM effnet_trials)").fetchone()[0] == len(document["trials"])


def test_a_finished_study_is_shown_without_training(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "copy.study"
    shutil.copy(by_one["folder"] / "one.study", study)
    result = effnet(*arguments(base, project, study))
    assert result.returncode == 0 and "best measured: alpha" in result.stdout
    assert effnet.json(*arguments(base, project, study))["trials"] == by_one["trials"]


def test_options_that_are_not_given_come_from_the_study(effnet, base, by_one, tmp_path):
    study = tmp_path / "copy.study"
    shutil.copy(by_one["folder"] / "one.study", study)
    document = effnet.json("scale", "search", base, "--study", study)
    assert document["trials"] == by_one["trials"] and document["coefficients"] == by_one["coefficients"]
    # The command that is proposed at the end can be typed.
    proposed = effnet("scale", "search", base, "--study", study).stdout.partition("try: effnet ")[2].splitlines()[0]
    assert str(base) in proposed and effnet(*shlex.split(proposed)).returncode == 0


def test_an_interrupted_search_says_how_to_continue(effnet, base, project, tmp_path):
    study = tmp_path / "stopped.study"
    process = start(effnet, arguments(base, project, study, "--epochs", "500,1000"))

    def is_running():
        with sqlite3.connect(study) as database:
            return database.execute("SELECT count(*) FROM effnet_trials WHERE state = 'running'").fetchone()[0] > 0

    wait_for(lambda: study.exists() and is_running())
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert stderr.index("stopping after the running step; Ctrl-C again stops at once") < stderr.index("effnet: error: interrupted")
    assert "the same command continues the search" in stderr and "--resume" not in stderr, "which this command does not have"
    assert not is_running(), "the trial was given back"


def test_workers_of_one_command(effnet, base, project, by_one, tmp_path):
    """BASE may stand behind "--", and -o may have its value in the same word: the workers get neither."""
    words = arguments("BASE", project, tmp_path / "two.study", "--workers", "2", f"-o{tmp_path / 'family'}", "--json")
    words.remove("BASE")
    result = effnet(*words, "--", base)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert comparable(document) == comparable(by_one) and len(document["files"]) == 7
    lines = [line for line in result.stderr.splitlines() if line.startswith("trial ")]
    assert len(lines) == len(document["trials"]), "one line for each trial"
    assert " left" not in lines[-1]


def test_a_killed_worker_does_not_matter_if_the_others_complete_the_search(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "s.study"
    command = start(effnet, arguments(base, project, study, "--workers", "2", "--json"))

    def ended():
        with sqlite3.connect(study) as database:
            return database.execute("SELECT count(*) FROM effnet_trials WHERE state = 'done'").fetchone()[0]

    wait_for(lambda: study.exists() and ended() > 0, command)
    os.kill(children_of(command)[0], signal.SIGKILL)
    stdout, errors = command.communicate(timeout=300)
    assert command.returncode == 0, errors
    assert comparable(json.loads(stdout)) == comparable(by_one)
    assert "warning: a worker was killed by signal 9 (SIGKILL); the other workers have completed the search" in errors


def test_the_error_of_a_worker_keeps_its_exit_code(effnet, base, project, tmp_path):
    data, study = tmp_path / "data", tmp_path / "s.study"
    shutil.copytree(project / "data", data)
    assert effnet(*arguments(base, project, study, "--data", data, "--workers", "0")).returncode == 0
    data.rename(tmp_path / "moved")
    for workers in ("1", "2"):
        result = effnet(*arguments(base, project, study, "--data", data, "--workers", workers))
        effnet.check_error(result, 3)
        assert "the images are not there any more" in result.stderr and "hint: move them back" in result.stderr


def test_commands_that_make_the_same_study_together(effnet, base, project, tmp_path):
    """One of them makes it, the others continue it."""
    study = tmp_path / "s.study"
    commands = [start(effnet, arguments(base, project, study, "--workers", "0", "--json")) for _ in range(3)]
    ends = [command.communicate(timeout=300) for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], ends
    assert len({stdout for stdout, _ in ends}) == 1


def test_a_study_has_its_own_base(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "copy.study"
    shutil.copy(by_one["folder"] / "one.study", study)
    result = effnet("scale", "search", "mobilenet_v2", "--study", study)
    effnet.check_error(result, 2)
    assert f"{study}: BASE: the study is for another network (got 'mobilenet_v2', expected 'small')" in result.stderr
    proposed = result.stderr.partition("hint: effnet ")[2].partition(" continues it")[0]
    result = effnet(*shlex.split(proposed))
    assert result.returncode == 0, result.stderr
    # The base came from a file, so that the command that is proposed uses the study.
    proposed = result.stdout.partition("try: effnet ")[2].splitlines()[0].replace("FOLDER", str(tmp_path / "family"))
    assert len(effnet.json(*shlex.split(proposed))["files"]) == 7
    # Another network of the same name.
    other = tmp_path / "other.toml"
    other.write_text(ARCH.replace("channels = 32", "channels = 40"))
    result = effnet("scale", "search", other, "--study", study)
    effnet.check_error(result, 2)
    assert "(got 'small', expected 'small' as it was when the study was made)" in result.stderr
    result = effnet("scale", "search", "--study", tmp_path / "new.study", "--data", project / "data")
    effnet.check_error(result, 2)
    assert "BASE: missing" in result.stderr and not (tmp_path / "new.study").exists()


def test_a_base_that_looks_like_an_option(effnet, base, project, by_one, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(by_one["folder"] / "one.study", tmp_path / "-s.study")
    shutil.copy(base, tmp_path / "-b.toml")
    result = effnet("scale", "search", "--study=-s.study", "--", "-b.toml")
    assert result.returncode == 0, result.stderr
    proposed = result.stdout.partition("try: effnet ")[2].splitlines()[0]
    assert "./-b.toml" in proposed and effnet(*shlex.split(proposed)).returncode == 0


def test_images_that_vanish_fail_no_trial(effnet, base, project, tmp_path):
    """They are the same for all candidates, so the worker stops, the trials wait, and the same command continues."""
    data, study = tmp_path / "data", tmp_path / "s.study"
    shutil.copytree(project / "data", data)
    command = arguments(base, project, study, "--data", data, "--epochs", "2,3", "--workers", "2")
    process = start(effnet, command)

    def states():
        with sqlite3.connect(study) as database:
            return [row[0] for row in database.execute("SELECT state FROM effnet_trials")]

    wait_for(lambda: study.exists() and "done" in states(), process)
    data.rename(tmp_path / "moved")
    stderr = process.communicate(timeout=300)[1]
    if process.returncode != 0:  # 0: the search had ended
        assert process.returncode == 3, stderr
        assert "failed" not in states() and "running" not in states() and "waiting" in states()
    (tmp_path / "moved").rename(data)
    document = effnet.json(*command)
    assert document["complete"] and {trial["state"] for trial in document["trials"]} == {"done"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_study_that_is_moved_during_the_search(effnet, base, project, tmp_path, workers):
    study = tmp_path / "s.study"
    process = start(effnet, arguments(base, project, study, "--epochs", "20,50", "--workers", workers))

    def is_running():
        with sqlite3.connect(study) as database:
            return database.execute("SELECT count(*) FROM effnet_trials WHERE state = 'running'").fetchone()[0] == int(workers)

    wait_for(lambda: study.exists() and is_running(), process)
    study.rename(tmp_path / "moved.study")
    stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 4 and "the file was deleted while this process used it" in stderr, stderr


def test_a_search_without_a_success(effnet, base, project, tmp_path):
    study = tmp_path / "s.study"
    command = arguments(base, project, study, "--seeds", 1, "--workers", "1", "--set", "optimizer.lr=10000",
                        "--set", "optimizer.weight_decay=10", "--epochs", "50", "--set", "schedule.warmup_epochs=0")
    for _ in range(2):  # the second one only shows the study
        result = effnet(*command)
        assert result.returncode == 3 and result.stderr.splitlines()[-2].startswith("effnet: error: "), result.stderr
        assert "no trial has succeeded" in result.stderr and "diverged" in result.stderr
        assert "not complete" not in result.stdout


def test_a_new_study_says_what_waits_and_how_to_continue(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "s.study"
    result = effnet(*arguments(base, project, study, "--workers", "0"))
    first = [trial for trial in by_one["trials"] if trial["generation"] == 0]
    assert result.returncode == 0 and f"the {len(first)} trials of the first round wait\n" in result.stdout
    proposed = result.stdout.partition("to continue: effnet ")[2].splitlines()[0]
    result = effnet(*shlex.split(proposed), "--workers", "0")  # only shows it
    assert result.returncode == 0 and "to continue: " in result.stdout


@pytest.mark.parametrize("more, code, message", [
    (["--epochs", "3,1"], 2, "--epochs"),
    (["--epochs", "1,2k"], 2, "--epochs: wrong number of epochs (got '2k'"),
    (["--set", "train.epochs=3"], 2, "--set train.epochs: it has no effect here: --epochs sets it"),
    (["--set", "data.resolution=64"], 2, "--set data.resolution: it has no effect here: gamma scales the resolution"),
    (["-o", "/dev/null/x"], 4, "/dev/null/x"),
    (["--seeds", "0"], 2, "--seeds"),
    (["--keep", "0"], 2, "keep"),
    (["--cost", "money"], 2, "unknown cost"),
    (["--timeout", "0"], 2, "--timeout"),
    (["--tolerance", "0.001", "--step", "1"], 3, "no coefficients of the grid scale small by 2"),
    (["--data", "/nonexistent"], 3, "/nonexistent"),
])
def test_wrong_options(effnet, base, project, tmp_path, more, code, message):
    result = effnet(*arguments(base, project, tmp_path / "s.study", *more))
    effnet.check_error(result, code)
    assert message in result.stderr and not (tmp_path / "s.study").exists()


def test_a_recipe_with_a_resolution(effnet, base, project, tmp_path):
    """All candidates would be trained at the same resolution, whatever their gamma."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('base = "scale_proxy"\n[data]\nresolution = 24\n')
    result = effnet(*arguments(base, project, tmp_path / "s.study", "--recipe", recipe))
    effnet.check_error(result, 2)
    assert f"{recipe}: data.resolution: gamma scales the resolution of each candidate (got 24, expected 0)" in result.stderr
    assert not (tmp_path / "s.study").exists()


def test_a_study_that_is_made_again_begins_its_trainings_again(effnet, base, project, by_one, tmp_path):
    """The trials of the removed study had the same numbers, and more epochs."""
    study = tmp_path / "s.study"
    process = start(effnet, arguments(base, project, study, "--epochs", "60,90"))
    runs = tmp_path / "s.study.runs"
    wait_for(lambda: list(runs.glob("**/checkpoints/last")), process)
    process.kill()
    process.communicate(timeout=300)
    for file in (study, *tmp_path.glob("s.study-*")):  # with the log of the killed process
        file.unlink()
    document = effnet.json(*arguments(base, project, study))
    assert document["complete"] and comparable(document) == comparable(by_one)
    assert list(runs.glob("**/checkpoints/last"))  # those of the removed study, for one with its settings


def test_a_study_of_other_settings(effnet, base, project, by_one, tmp_path):
    study = tmp_path / "copy.study"
    shutil.copy(by_one["folder"] / "one.study", study)
    for more, option in ((["--seeds", "3"], "--seeds"), (["--set", "optimizer.lr=0.1"], "--recipe or --set optimizer.lr"),
                         (["--factor", "3"], "--factor"), (["--epochs", "1,4"], "--epochs"),
                         (["--step", "0.5"], "--step"), (["--tolerance", "0.2"], "--tolerance")):
        result = effnet(*arguments(base, project, study, *more))
        effnet.check_error(result, 2)
        assert f"{option}: the study has another value" in result.stderr
    # effnet search does not continue it, and says what does.
    result = effnet("search", "show", study)
    effnet.check_error(result, 3)
    assert "another search" in result.stderr and f"hint: effnet scale search --study {study} continues it; with --workers 0 it only shows it" in result.stderr


def test_a_study_of_an_earlier_version(effnet, base, project, by_one, tmp_path):
    """It has no step and no tolerance, so these options are not compared."""
    study = tmp_path / "copy.study"
    shutil.copy(by_one["folder"] / "one.study", study)
    with sqlite3.connect(study) as database:
        settings = json.loads(database.execute("SELECT value FROM effnet_study WHERE key = 'settings'").fetchone()[0])
        del settings["step"], settings["tolerance"]
        database.execute("UPDATE effnet_study SET value = ? WHERE key = 'settings'", (json.dumps(settings),))
    assert effnet.json(*arguments(base, project, study, "--step", "0.5"))["trials"] == by_one["trials"]


def test_a_damaged_study(effnet, base, project, by_one, tmp_path):
    for change, message in (("UPDATE effnet_trials SET candidate = 'x' WHERE id = 2", "trial 2: unknown candidate (got 'x'"),
                            ("DELETE FROM effnet_trials WHERE id = 2", "a trial is missing (got trial 3, expected trial 2)")):
        study = tmp_path / "damaged.study"
        shutil.copy(by_one["folder"] / "one.study", study)
        with sqlite3.connect(study) as database:
            database.execute(change)
        result = effnet(*arguments(base, project, study))
        effnet.check_error(result, 3)
        assert message in result.stderr and str(study) in result.stderr


def test_files_that_are_no_study(effnet, base, project, tmp_path):
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to be read as one " * 40)
    empty = tmp_path / "other.db"
    with sqlite3.connect(empty) as database:
        database.execute("CREATE TABLE other (x)")
    for file in (text, empty):
        before = file.read_bytes()
        result = effnet(*arguments(base, project, file))
        effnet.check_error(result, 3)
        assert "not a study" in result.stderr and file.read_bytes() == before
