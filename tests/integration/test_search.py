"""effnet search: one result whatever the number of workers and however often they are killed; exported networks.

The toy evaluator needs no LibTorch, so most of these tests run with effnet alone. test_search_train.py has the others, and
test_search_wrong_input.py wrong options and damaged files.
"""

import json
import os
import shlex
import shutil
import signal

import pytest

from conftest import kill_at_random, wait_for
from test_train import start

# Two choices in the first stage, four in the second and third: 3^2 * 3^4 * 3^4 = 59,049 points, some of which describe
# the same network.
SPACE = """
name = "small"
[choices]
kernel = [3, 5, 7]
expand = [2, 3, 4]
channels = [16, 24, 32]
layers = [-1, 0, 1]
[[stages]]
stage = 1
channels = []
layers = []
[base]
name = "small"
resolution = 32
classes = 3
preprocessing = "whole"
[base.stem]
channels = 8
[[base.stages]]
channels = 16
expand = 2
[[base.stages]]
channels = 24
repeats = 2
stride = 2
expand = 2
[[base.stages]]
channels = 32
repeats = 2
stride = 2
expand = 2
[base.head]
channels = 64
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "small.toml"
    path.write_text(SPACE)
    return path


def toy(space, study, *more):
    """The command with the toy evaluator. A --space in `more` replaces `space`."""
    own = [] if "--space" in more else ["--space", str(space)]
    return ["search", "run", str(study), *own, "--evaluator", "toy", *map(str, more)]


def comparable(document):
    """What must not depend on workers and machines."""
    return [(t["id"], t["candidate"], t["generation"], t["budget"], t["score"], t["quality"], t["cost"])
            for t in document["trials"]]


@pytest.fixture(scope="module")
def finished(effnet, space, tmp_path_factory):
    """A study that one worker has finished, and its document."""
    study = tmp_path_factory.mktemp("finished") / "a.study"
    return study, effnet.json(*toy(space, study, "--trials", 300, "--population", 32, "--seed", 3))


def test_json(effnet, space, finished):
    study, document = finished
    assert document["complete"] and document["space"] == "small" and document["evaluator"] == "toy"
    assert document["controller"] == "evolution" and document["objective"]["weight"] == -0.07
    assert document["objective"]["target"] == effnet.json(
        "inspect", write(study.parent / "base.toml", SPACE[SPACE.index("[base]"):].replace("[base]", "").replace("base.", "")))["macs"]
    trials = document["trials"]
    assert [trial["id"] for trial in trials] == list(range(1, 301))
    assert all(trial["state"] == "done" and isinstance(trial["score"], float) for trial in trials)
    best = max(trials, key=lambda trial: trial["score"])
    assert document["best"]["reward"] == best["score"] and document["best"]["candidate"] == best["candidate"]
    # The Pareto front from the trials, by its definition.
    points = {(t["quality"], t["cost"]) for t in trials}
    front = {(q, c) for q, c in points if not any(q2 >= q and c2 <= c and (q2, c2) != (q, c) for q2, c2 in points)}
    assert {(row["quality"], row["cost"]) for row in document["pareto"]} == front
    assert [row["cost"] for row in document["pareto"]] == sorted(row["cost"] for row in document["pareto"])
    # The reward by its definition.
    for trial in trials:
        assert trial["score"] == pytest.approx(trial["quality"] * (trial["cost"] / document["objective"]["target"]) ** -0.07, rel=1e-12)
    # A network that comes again is not evaluated again.
    networks = {t["candidate"] for t in trials}
    assert document["counts"]["twins"] == len(trials) - len(networks) > 0
    assert all(0 <= one["explained"] <= 1 for one in document["importance"]) and len(document["importance"]) == 10
    shown = effnet.json("search", "show", study)
    assert shown == document
    text = effnet("search", "show", study, "--top", "3").stdout
    assert "the search has ended" in text and "Pareto front" in text and best["candidate"] in text


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("controller, more", [("random", []), ("evolution", ["--population", 32, "--tournament", 8]),
                                              ("rl", ["--learning-rate", 0.01]), ("nsga2", ["--population", 32])])
def test_controllers_find_good_networks(effnet, space, tmp_path, controller, more):
    """Quality is from 0 for the worst to 1 for the best combination of options. A limit that all networks meet makes the
    reward the quality."""
    document = effnet.json(*toy(space, tmp_path / "s", "--controller", controller, "--trials", 400, "--objective", "limit",
                                "--target", "1G", *more))
    assert document["complete"] and document["controller"] == controller
    qualities = [trial["quality"] for trial in document["trials"]]
    assert all(0 <= quality <= 1 for quality in qualities)
    assert document["best"]["quality"] >= (0.75 if controller == "random" else 0.85)
    if controller in ("evolution", "rl"):  # they learn: the last quarter is better than the first
        assert sum(qualities[300:]) > sum(qualities[:100]) + 5


@pytest.mark.parametrize("controller", ["evolution", "rl"])
def test_workers_give_one_result(effnet, space, tmp_path, controller):
    command = ["--trials", 120, "--controller", controller, "--generation", 12]
    one = effnet.json(*toy(space, tmp_path / "one", *command))
    three = effnet.json(*toy(space, tmp_path / "three", *command, "--workers", 3))
    assert comparable(one) == comparable(three) and three["complete"]
    assert one["best"] == three["best"] and one["pareto"] == three["pareto"]


def test_workers_that_are_killed_lose_nothing(effnet, space, tmp_path):
    command = ["--trials", 1500, "--population", 50, "--generation", 25]
    one = effnet.json(*toy(space, tmp_path / "one", *command))
    study = tmp_path / "killed"
    assert effnet(*toy(space, study, *command, "--workers", 0)).returncode == 0  # makes the study
    work = ["search", "worker", str(study), "--timeout", "1"]
    kill_at_random(lambda: start(effnet, work), workers=3, kills=12, seed=5, longest_s=0.3)
    assert effnet(*work).returncode == 0
    document = effnet.json("search", "show", study)
    assert document["complete"] and comparable(document) == comparable(one)


def test_interrupted_worker_gives_its_trial_back(effnet, space, tmp_path):
    study = tmp_path / "s"
    assert effnet(*toy(space, study, "--trials", 100_000, "--workers", 0)).returncode == 0
    worker = start(effnet, ["search", "worker", str(study)])
    wait_for(lambda: effnet.json("search", "show", study)["counts"]["done"] > 20, worker)
    worker.send_signal(signal.SIGINT)
    _, errors = worker.communicate(timeout=300)
    assert worker.returncode == 130 and errors == "effnet: error: interrupted\n"
    counts = effnet.json("search", "show", study)["counts"]
    assert counts["running"] == 0 and counts["failed"] == 0 and counts["done"] > 20
    more = effnet.json("search", "worker", study, "--trials", "5")
    assert (more["done"], more["complete"]) == (5, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_ends_its_workers(effnet, space, tmp_path, number):
    study = tmp_path / "s"
    command = start(effnet, toy(space, study, "--trials", 100_000, "--workers", 2))
    wait_for(lambda: os.path.exists(study) and effnet.json("search", "show", study)["counts"]["done"] > 20, command)
    command.send_signal(number)  # to this process only, as `kill` and systemd send it
    _, errors = command.communicate(timeout=300)
    assert command.returncode == 130 and "interrupted" in errors
    shown = effnet.json("search", "show", study)
    assert shown["counts"]["running"] == 0 and not shown["complete"]


def children_of(process):
    """The ids of the running processes that `process` has started."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            continue
        if int(parent) == process.pid and state != "Z":
            found.append(int(entry))
    return found


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_end_with_a_command_that_is_killed(effnet, space, tmp_path):
    study = tmp_path / "s"
    command = start(effnet, toy(space, study, "--trials", 100_000, "--workers", 2))
    wait_for(lambda: os.path.exists(study) and effnet.json("search", "show", study)["counts"]["done"] > 20, command)
    wait_for(lambda: len(children_of(command)) == 2, command)
    workers = children_of(command)
    command.kill()
    command.communicate()
    wait_for(lambda: not any(map(is_running, workers)), what="the end of the workers")
    counts = effnet.json("search", "show", study)["counts"]
    assert counts["running"] == 0 and counts["done"] > 20  # they gave their trials back


def test_a_worker_that_is_killed_is_named(effnet, space, tmp_path):
    study = tmp_path / "s"
    command = start(effnet, toy(space, study, "--trials", 100_000, "--workers", 2))
    wait_for(lambda: os.path.exists(study) and effnet.json("search", "show", study)["counts"]["done"] > 20, command)
    wait_for(lambda: len(children_of(command)) == 2, command)
    for worker in children_of(command):
        os.kill(worker, signal.SIGKILL)
    _, errors = command.communicate(timeout=300)
    assert command.returncode == 4 and "a worker was killed by signal 9 (SIGKILL)" in errors, errors


def test_a_killed_worker_does_not_matter_if_the_others_complete_the_search(effnet, space, tmp_path):
    one = effnet.json(*toy(space, tmp_path / "one", "--trials", 20_000))
    study = tmp_path / "s"
    command = start(effnet, toy(space, study, "--trials", 20_000, "--workers", 2, "--timeout", 1, "--json"))
    wait_for(lambda: os.path.exists(study) and effnet.json("search", "show", study)["counts"]["done"] > 20, command)
    os.kill(children_of(command)[0], signal.SIGKILL)
    stdout, errors = command.communicate(timeout=300)
    assert command.returncode == 0, errors
    assert comparable(json.loads(stdout)) == comparable(one)
    assert "warning: a worker was killed by signal 9 (SIGKILL); the other workers have completed the search" in errors


def test_a_new_study_says_how_to_continue(effnet, space, tmp_path):
    result = effnet(*toy(space, tmp_path / "s", "--trials", 20, "--workers", 0))
    assert result.returncode == 0 and "trials: none yet" in result.stdout
    proposed = result.stdout.partition("to continue: effnet ")[2].splitlines()[0]
    result = effnet(*shlex.split(proposed))
    assert result.returncode == 0 and "the search has ended" in result.stdout and "to continue" not in result.stdout


@pytest.mark.parametrize("disturb, message", [(os.remove, "the file was deleted"),
                                              (lambda study: os.replace(study.with_name("other"), study), "the file was replaced")])
def test_a_worker_notices_that_its_study_is_gone(effnet, space, finished, tmp_path, disturb, message):
    study = tmp_path / "s"
    shutil.copy(finished[0], tmp_path / "other")
    assert effnet(*toy(space, study, "--trials", 100_000, "--workers", 0)).returncode == 0
    worker = start(effnet, ["search", "worker", str(study)])
    wait_for(lambda: effnet.json("search", "show", study)["counts"]["done"] > 20, worker)
    disturb(study)
    _, errors = worker.communicate(timeout=300)
    assert worker.returncode == 4 and message in errors and "results since then may be lost" in errors, errors
    hint = errors[errors.index("hint: "):]
    assert str(study) in errors and f"{study}-wal" in hint and f"{study}-shm" in hint, hint


def test_a_new_study_is_not_made_beside_the_log_of_an_earlier_one(effnet, space, tmp_path):
    study = tmp_path / "s"
    log = study.with_name("s-wal")
    command = start(effnet, toy(space, study, "--trials", 100_000))
    wait_for(lambda: os.path.exists(study) and effnet.json("search", "show", study)["counts"]["done"] > 20, command)
    command.kill()
    command.communicate()
    study.rename(tmp_path / "moved")
    before = log.read_bytes()
    result = effnet(*toy(space, study, "--trials", 20))
    effnet.check_error(result, 2)
    assert str(log) in result.stderr and f"back to {study} to continue it" in result.stderr
    assert not study.exists() and log.read_bytes() == before
    (tmp_path / "moved").rename(study)  # as the hint says
    assert effnet.json("search", "show", study)["counts"]["done"] > 20


def test_an_output_never_replaces_an_input(effnet, space, finished, tmp_path):
    study = tmp_path / "copy"
    shutil.copy(finished[0], study)
    before = study.read_bytes()
    for words in (["show", study, "--report", study], ["export", study, "-o", study],
                  ["show", finished[0], "--against", study, "--report", study], ["latency", space, "-o", space]):
        effnet.check_error(effnet("search", *words), 2)
    # Nor another study, whatever its name is, nor a space.
    for name, words in (("a.html", ["show", finished[0], "--report"]), ("a.study", ["show", finished[0], "--report"]),
                        ("a.json", ["latency", space, "-o"]), ("a.study", ["latency", space, "-o"]),
                        ("a.toml", ["export", finished[0], "-o"])):
        other = tmp_path / name
        shutil.copy(finished[0], other)
        effnet.check_error(effnet("search", *words, other), 2)
        assert other.read_bytes() == before
    own = write(tmp_path / "own.toml", SPACE)
    effnet.check_error(effnet("search", "export", study, "-o", own), 2)
    effnet.check_error(effnet("search", "show", study, "--report", own), 2)
    assert own.read_text() == SPACE
    assert study.read_bytes() == before and space.read_text() == SPACE


def test_a_finished_study_is_continued_without_work(effnet, space, finished, tmp_path):
    study = tmp_path / "copy"
    shutil.copy(finished[0], study)
    assert effnet.json("search", "run", study) == {**finished[1], "study": str(study)}  # no options: those of the study
    assert effnet.json("search", "worker", study) == {"done": 0, "failed": 0, "lost": 0, "complete": True}


@pytest.mark.parametrize("more, setting", [
    (["--trials", "400"], "--trials: the study has another value (got '400', expected '300')"),
    (["--seed", "4"], "--seed: the study has another value (got '4', expected '3')"),
    (["--controller", "random"], "--controller: the study has another value (got 'random', expected 'evolution')"),
    (["--target", "3M"], "--target: the study has another value (got '3,000,000 MACs'"),
    (["--objective", "hard"], "--objective: the study has another value (got 'hard', expected 'soft')"),
    (["--cost", "params"], "--cost: the study has another value (got 'params', expected 'macs')"),
    (["--population", "33"], "--population: the study has another value (got '33'"),
    (["--generation", "15"], "--generation: the study has another value (got '15'"),
    (["--evaluator", "zerocost"], "--evaluator: the study has another one"),
    (["--space", "cifar"], "--space: the study has another one"),
])
def test_a_study_keeps_its_settings(effnet, finished, more, setting):
    before = finished[0].read_bytes()
    result = effnet("search", "run", finished[0], *more)
    effnet.check_error(result, 2)
    assert setting in result.stderr and finished[0].read_bytes() == before


def test_two_processes_make_one_study(effnet, space, tmp_path):
    command = toy(space, tmp_path / "s", "--trials", 60, "--json")
    both = [start(effnet, command), start(effnet, command)]
    documents = []
    for process in both:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        documents.append(json.loads(output))
    assert comparable(documents[0]) == comparable(documents[1]) and documents[0]["complete"]


def test_export(effnet, finished, tmp_path):
    study, document = finished
    out = tmp_path / "found.toml"
    exported = effnet.json("search", "export", study, "-o", out)
    assert exported["candidate"] == document["best"]["candidate"] and exported["path"] == str(out)
    counts = effnet.json("inspect", out)
    assert counts["name"] == exported["name"] and counts["macs"] == exported["macs"] == document["best"]["macs"]
    assert counts["params"] == document["best"]["params"] and counts["resolution"] == 32 and counts["classes"] == 3
    # Every other command reads the file.
    assert effnet.json("scale", out, "--phi", "2")["macs"] > counts["macs"]
    assert effnet.json("bench", out, "--seconds", "0.05")["latency_ms"]["median"] > 0
    front = document["pareto"][0]
    cheap = effnet("search", "export", study, "--trial", front["trial"], "--name", "cheap", "-o", "-")
    assert cheap.returncode == 0 and 'name = "cheap"' in cheap.stdout
    assert effnet.json("inspect", write(tmp_path / "cheap.toml", cheap.stdout))["macs"] == front["macs"]
    for more, code in ((["--trial", "301", "-o", out], 2), ([], 2), (["-o", tmp_path / "best"], 2), (["-o", tmp_path / "no" / "x.toml"], 4)):
        effnet.check_error(effnet("search", "export", study, *more), code)


def test_page(effnet, finished, tmp_path):
    page = tmp_path / "page.html"
    assert effnet.json("search", "show", finished[0], "--report", page)["path"] == str(page)
    text = page.read_text()
    assert "<script" not in text and "<svg" in text and "the search has ended" in text


def test_rank_correlation(effnet, space, finished, tmp_path):
    """Another seed of the toy is another problem, so the ranks have little to do with each other."""
    study = finished[0]
    same, other = tmp_path / "same", tmp_path / "other"
    again = ["search", "run", same, "--evaluator", "toy", "--points-of", study, "--seed", "3", "--trials", "50"]
    assert effnet.json(*again)["counts"]["done"] == 50
    correlation = effnet.json("search", "show", same, "--against", study)["correlation"]
    assert correlation["networks"] == 50 and correlation["spearman"] == pytest.approx(1) and correlation["kendall"] == pytest.approx(1)
    effnet.json("search", "run", other, "--evaluator", "toy", "--points-of", study, "--seed", "8")
    correlation = effnet.json("search", "show", other, "--against", study)["correlation"]
    assert correlation["networks"] > 100 and abs(correlation["spearman"]) < 0.9
    low, high = correlation["spearman_interval"]
    assert low <= correlation["spearman"] <= high
    assert "Kendall" in effnet("search", "show", other, "--against", study).stdout
    unrelated = tmp_path / "unrelated"
    effnet.json("search", "run", unrelated, "--space", "cifar", "--evaluator", "toy", "--trials", "5")
    effnet.check_error(effnet("search", "show", unrelated, "--against", study), 2)


def test_live(effnet, space, tmp_path):
    study = tmp_path / "s"
    assert effnet(*toy(space, study, "--trials", 40, "--workers", 0)).returncode == 0
    watcher = start(effnet, ["search", "show", str(study), "--live"])
    assert effnet("search", "worker", study).returncode == 0
    output, _ = watcher.communicate(timeout=300)
    # No terminal: only the final text, without control sequences.
    assert watcher.returncode == 0 and "the search has ended" in output and "\033" not in output
    assert output.count("best networks") == 1


def test_many_trials(effnet, space, tmp_path):
    study = tmp_path / "s"
    result = effnet(*toy(space, study, "--trials", 10_000, "--generation", 500, "--controller", "random", "--workers", 2), timeout=1200)
    assert result.returncode == 0, result.stderr
    document = effnet.json("search", "show", study, "--report", tmp_path / "page.html")
    assert len(document["trials"]) == 10_000 and document["complete"] and document["counts"]["failed"] == 0
    assert (tmp_path / "page.html").stat().st_size < 4e6


def test_latency_table(effnet, tmp_path):
    """A space of 8 networks: the table predicts a latency for each, and a search can be limited by it. The base is not one of them:
    its kernel is 3."""
    space = write(tmp_path / "tiny.toml", SPACE.replace("[3, 5, 7]", "[5, 7]").replace("expand = [2, 3, 4]", "")
                  .replace("channels = [16, 24, 32]", "").replace("layers = [-1, 0, 1]", ""))
    table = tmp_path / "table.json"
    measured = effnet.json("search", "latency", space, "-o", table, "--seconds", "0.01", "--random", "10", "--threads", "1")
    assert measured["path"] == str(table) and measured["parts"] > 5 and "1 thread" in measured["machine"]
    limited = ["search", "run", tmp_path / "s", "--space", space, "--evaluator", "toy", "--cost", "latency", "--latency-table", table,
               "--trials", "20"]
    document = effnet.json(*limited, "--target", "1000 ms")
    assert document["objective"] == {"form": "soft", "cost": "latency", "target": 1000, "weight": -0.07}
    assert all(0 < trial["cost"] < 1000 for trial in document["trials"])
    # Without --target, the target is the latency of the base.
    assert effnet.json("search", "run", tmp_path / "base", *limited[3:])["objective"]["target"] > 0
    proposed = effnet("search", "latency", space, "-o", table, "--seconds", "0.01", "--random", "10", "--threads", "1").stdout
    assert f"--space {space} --cost latency --latency-table {table}" in proposed
    # A table of another space does not fit.
    other = write(tmp_path / "other.toml", SPACE)
    result = effnet("search", "run", tmp_path / "t", "--space", other, "--evaluator", "toy", "--cost", "latency", "--latency-table", table)
    effnet.check_error(result, 3)
