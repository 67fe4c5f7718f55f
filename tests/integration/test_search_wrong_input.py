"""effnet search: wrong options, spaces and files, damaged and locked studies, places without permission."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

from test_search import SPACE, finished, space, toy, write  # noqa: F401 (fixtures)


@pytest.mark.parametrize("more, code, message", [
    (["--trials", "0"], 2, "--trials"),
    (["--trials", "many"], 2, "--trials"),
    (["--workers", "-1"], 2, "--workers"),
    (["--generation", "0"], 2, "--generation"),
    (["--population", "0"], 2, "--population"),
    (["--seed", "x"], 2, "--seed"),
    (["--timeout", "0"], 2, "--timeout"),
    (["--timeout", "nan"], 2, "--timeout"),
    (["--controller", "guess"], 2, "controller"),
    (["--evaluator", "guess"], 2, "evaluator"),
    (["--objective", "firm"], 2, "--objective"),
    (["--cost", "money"], 2, "--cost"),
    (["--cost", "latency"], 2, "--latency-table is missing"),
    (["--cost", "latency", "--latency-table", "/nonexistent"], 3, "/nonexistent"),
    (["--target", "-1"], 2, "--target"),
    (["--target", "5MiB"], 2, "--target: wrong value (got '5MiB', expected a number of MACs"),
    (["--target", ""], 2, "--target: the value is empty"),
    (["--device", "cpu"], 2, "--device: it has no effect here"),
    (["--set", "train.epochs=3"], 2, "--set: it has no effect here"),
    (["--weight", "0.5"], 2, "weight"),
    (["--weight", "nan"], 2, "weight"),
    (["--objective", "limit", "--target", "1K"], 3, "has at most 1,000 MACs (the cheapest one found has"),
    (["--space", "no_such_space"], 3, "no_such_space"),
    (["--space", "/nonexistent.toml"], 3, "/nonexistent.toml"),
    (["--data", "/tmp"], 2, "--data: it has no effect here"),
    (["--score", "synflow"], 2, "--score: it has no effect here"),
    (["--supernet", "x"], 2, "--supernet: it has no effect here"),
    (["--budgets", "1,2"], 2, "--budgets: it has no effect here"),
    (["--points-of", "/nonexistent"], 3, "/nonexistent"),
])
def test_wrong_options(effnet, space, tmp_path, more, code, message):
    result = effnet(*toy(space, tmp_path / "s", *more))
    effnet.check_error(result, code)
    assert message in result.stderr and not os.listdir(tmp_path)


def test_wrong_spaces(effnet, tmp_path):
    for text, message in ((SPACE.replace("kernel", "kernal"), "kernal"), (SPACE.replace("[3, 5, 7]", "[3, 4]"), "kernel"),
                          (SPACE.replace("stage = 1", "stage = 9"), "stage"), ("name = \"x\"", "base"), ("[[", ":1:")):
        file = write(tmp_path / "space.toml", text)
        result = effnet(*toy(file, tmp_path / "s"))
        effnet.check_error(result, 3)
        assert str(file) in result.stderr and message in result.stderr and not (tmp_path / "s").exists()


@pytest.mark.parametrize("words", [["worker"], ["show"], ["export", "-o", "x"]])
def test_files_that_are_no_study(effnet, finished, tmp_path, words):
    text = write(tmp_path / "text", "not a database, but long enough to be read as one " * 40)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE other (x)")
    empty, dangling = write(tmp_path / "empty", ""), tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "moved")
    for file in (text, other, empty, dangling, tmp_path / "missing", tmp_path):
        before = file.read_bytes() if file.is_file() else None
        result = effnet("search", words[0], file, *words[1:])
        assert result.returncode in (3, 4) if file == tmp_path else result.returncode == 3, result.stderr
        effnet.check_error(result, result.returncode)
        assert before is None or file.read_bytes() == before
        expected = {empty: "an empty file", dangling: "a link to"}
        assert file not in expected or expected[file] in result.stderr
    assert not (tmp_path / "missing").exists()


def changed_study(finished, tmp_path, key, value):
    study = tmp_path / "changed"
    shutil.copy(finished[0], study)
    with sqlite3.connect(study) as database:
        changed = database.execute("UPDATE effnet_study SET value = ? WHERE key = ?", (value, key)).rowcount
    assert changed == 1
    return study


@pytest.mark.parametrize("key, value, message", [("version", "1", "another version"), ("kind", "scale", "another search"),
                                                 ("settings", "{}", "settings"), ("settings", "x", "settings")])
def test_studies_that_cannot_be_read(effnet, finished, tmp_path, key, value, message):
    study = changed_study(finished, tmp_path, key, value)
    for words in (["run"], ["worker"], ["show"]):
        result = effnet("search", words[0], study)
        effnet.check_error(result, 3)
        assert message in result.stderr


@pytest.mark.parametrize("change, message", [
    ("DROP TABLE effnet_trials", "not a study, or a damaged one"),
    ("ALTER TABLE effnet_trials RENAME TO t", "not a study, or a damaged one"),
    ("ALTER TABLE effnet_trials RENAME COLUMN details TO d", "not a study, or a damaged one"),
    ("ALTER TABLE effnet_study RENAME COLUMN value TO v", "not a study, or a damaged one"),
    ("UPDATE effnet_trials SET state = 'lost' WHERE id = 7", "trial 7: unknown state (got 'lost'"),
    ("UPDATE effnet_trials SET details = '{' WHERE id = 7", "trial 7: wrong details"),
    ("UPDATE effnet_trials SET candidate = 'k9' WHERE id = 7", "trial 7: point: unknown kernel for stage 1"),
    ("UPDATE effnet_trials SET score = 'x' WHERE id = 7", "got 'x' in the column score"),
    ("DELETE FROM effnet_trials WHERE id = 7", "a trial is missing (got trial 8, expected trial 7)"),
])
def test_damaged_studies(effnet, finished, tmp_path, change, message):
    study = tmp_path / "damaged"
    shutil.copy(finished[0], study)
    with sqlite3.connect(study) as database:
        database.execute(change)
    for words in (["run"], ["worker"], ["show", "--live"], ["export", "-o", tmp_path / "x.toml"]):
        result = effnet("search", words[0], study, *words[1:])
        effnet.check_error(result, 3)
        assert message in result.stderr and str(study) in result.stderr


def test_damaged_headers(effnet, finished, tmp_path):
    """Each byte of SQLite's header, and of the page that has the names of the tables, is changed. None is a fault of effnet."""
    good = finished[0].read_bytes()
    study = tmp_path / "damaged"
    for place in range(0, 120):
        study.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1:])
        result = effnet("search", "show", study)
        assert result.returncode in (0, 3, 4), (place, result.stderr)
        for name in os.listdir(tmp_path):
            os.remove(tmp_path / name)


def test_places_without_permission(effnet, space, finished):
    """root may write everywhere, so this runs as another user."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    folder = tempfile.mkdtemp()
    try:
        os.chmod(folder, 0o755)
        study = shutil.copy(finished[0], os.path.join(folder, "a.study"))
        os.chmod(study, 0o644)
        small = shutil.copy(space, os.path.join(folder, "small.toml"))
        os.chmod(small, 0o644)

        def run(*words):
            environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")}
            return subprocess.run([effnet.path, *words], env={**environment, "HOME": "/nonexistent"}, user=65534, group=65534,
                                  extra_groups=[], capture_output=True, text=True, timeout=300)

        if run("--version").returncode != 0:
            pytest.skip("the other user cannot run effnet")
        for words in (["search", "worker", study], toy(small, os.path.join(folder, "new.study"))):
            result = run(*words)
            effnet.check_error(result, 4)
            assert folder in result.stderr
        # Reading needs no permission to write, as long as no log beside the study has later results.
        shown = run("search", "show", study, "--json")
        assert shown.returncode == 0 and json.loads(shown.stdout)["trials"] == finished[1]["trials"], shown.stderr
        assert run("search", "export", study, "-o", "-").returncode == 0
        assert run("search", "run", study, "--json").stdout == shown.stdout  # nothing is left to do
        assert sorted(os.listdir(folder)) == ["a.study", "small.toml"]
        with open(study + "-wal", "wb") as log:
            log.write(b"x" * 4096)
        os.chmod(study + "-wal", 0o644)
        result = run("search", "show", study)
        effnet.check_error(result, 4)
        assert "cannot read without permission to write" in result.stderr and "a.study-wal" in result.stderr
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
def test_locked_study(effnet, finished, tmp_path):
    study = tmp_path / "locked"
    shutil.copy(finished[0], study)
    with sqlite3.connect(study) as database:
        database.execute("BEGIN EXCLUSIVE")
        result = effnet("search", "worker", study)
    effnet.check_error(result, 4)
    assert "locked" in result.stderr


def test_other_evaluators_need_effnet_train(effnet, space, tmp_path):
    result = effnet("search", "run", tmp_path / "s", "--space", space, "--data", tmp_path, env={"EFFNET_TRAIN": "/nonexistent"})
    effnet.check_error(result, 4)
    assert "effnet-train" in result.stderr and not (tmp_path / "s").exists()
    result = effnet("search", "supernet", "cifar", env={"EFFNET_TRAIN": "/nonexistent"})
    effnet.check_error(result, 4)


@pytest.mark.parametrize("words", [["latency", "cifar"], ["latency", "nosuch", "-o", "x.json"], ["latency", "cifar", "-o", "-"],
                                   ["latency", "cifar", "-o", "x.json", "--seconds", "0"]])
def test_wrong_latency_options(effnet, tmp_path, words):
    result = effnet("search", *words)
    effnet.check_error(result, 3 if "nosuch" in words else 2)
