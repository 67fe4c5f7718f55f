"""effnet search with the evaluators that need effnet-train: trainings that are killed, scores, a supernet."""

import pytest

from conftest import kill_at_random
from test_search import comparable, write
from test_train import built, project, start  # noqa: F401 (fixtures)

SPACE = """
name = "stripes"
[choices]
kernel = [3, 5]
expand = [2, 4]
[[stages]]
stage = 1
expand = []
[base]
name = "stripes"
resolution = 16
classes = 3
preprocessing = "whole"
bn_momentum = 0.8
[base.stem]
channels = 8
stride = 1
[[base.stages]]
channels = 8
expand = 1
[[base.stages]]
channels = 16
stride = 2
expand = 2
[base.head]
channels = 32
"""
RECIPE = ["--set", "train.batch=24", "--set", "checkpoint.every_steps=1"]


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return write(tmp_path_factory.mktemp("space") / "stripes.toml", SPACE)


def search(space, project, study, *more):
    return list(map(str, ["search", "run", study, "--space", space, "--data", project / "data",
                          *([] if "--threads" in more else ["--threads", 1]), *RECIPE, *more]))


def proxy(space, project, study, *more):
    return search(space, project, study, "--trials", 10, "--generation", 5, "--population", 5, "--tournament", 3, "--budgets", "1,2", *more)


@pytest.fixture(scope="module")
def by_one(effnet, space, project, tmp_path_factory):
    study = tmp_path_factory.mktemp("one") / "one.study"
    return study, effnet.json(*proxy(space, project, study))


def test_proxy(effnet, by_one):
    study, document = by_one
    assert document["complete"] and document["budgets"] == [1, 2] and document["counts"]["failed"] == 0
    trials = document["trials"]
    first = [trial for trial in trials if trial["generation"] == 0]
    second = [trial for trial in trials if trial["generation"] == 1]
    assert len(first) == 5 and {trial["budget"] for trial in first} == {1}
    assert len(second) == 2 and {trial["budget"] for trial in second} == {2}  # a third of five, rounded up
    # The best of the first round are in the second.
    promoted = {trial["candidate"] for trial in second}
    worst = min(trial["score"] for trial in first if trial["candidate"] in promoted)
    assert all(trial["score"] <= worst for trial in first if trial["candidate"] not in promoted)
    assert all(0 <= trial["quality"] <= 1 for trial in trials)
    assert not study.with_name("one.study.runs").exists()
    exported = study.with_name("found.toml")
    effnet.json("search", "export", study, "-o", exported)
    assert effnet.json("inspect", exported)["macs"] == document["best"]["macs"]
    # The lists are of the networks with 2 epochs, and say so, in the text and on the page.
    last = {trial["candidate"] for trial in trials if trial["budget"] == 2}
    others = len({trial["candidate"] for trial in trials} - last)
    page = study.with_name("one.html")
    text = effnet("search", "show", study, "--report", page).stdout
    assert f"best of the {len(last)} networks with 2 epochs; not listed: {others} network" in text
    assert "no other network with 2 epochs is better" in text
    assert page.read_text().count("One dot for each trial that is done with 2 epochs") == 2
    assert f"Dots and lists have the {len(last)} networks with 2 epochs. {others} network" in page.read_text()


def test_networks_have_the_classes_of_the_images(effnet, space, project, tmp_path):
    other = write(tmp_path / "five.toml", SPACE.replace("classes = 3", "classes = 5"))
    words = search(other, project, tmp_path / "s", "--evaluator", "zerocost", "--score", "naswot", "--trials", 2, "--controller", "random")
    made = effnet(*words)
    assert made.returncode == 0 and "the networks have 3 classes, as the images, instead of the 5 of the space" in made.stderr
    found = tmp_path / "found.toml"
    best = effnet.json("search", "export", tmp_path / "s", "-o", found)
    assert "classes = 3" in found.read_text() and best["macs"] == effnet.json("inspect", found)["macs"]
    assert effnet(*words).returncode == 0  # the same command shows it


def test_trainings_that_are_killed_give_the_same(effnet, space, project, by_one, tmp_path):
    study = tmp_path / "killed.study"
    assert effnet(*proxy(space, project, study, "--workers", 0)).returncode == 0
    work = ["search", "worker", str(study), "--timeout", "2", "--threads", "1"]
    kills = kill_at_random(lambda: start(effnet, work), workers=2, kills=4, seed=3, longest_s=1,
                           is_ready=lambda: effnet.json("search", "show", study)["counts"]["running"] > 0,
                           is_over=lambda: effnet.json("search", "show", study)["complete"])
    assert kills > 0
    assert effnet(*work).returncode == 0
    document = effnet.json("search", "show", study)
    assert document["complete"] and comparable(document) == comparable(by_one[1])


def test_workers_of_one_command(effnet, space, project, by_one, tmp_path):
    document = effnet.json(*proxy(space, project, tmp_path / "two.study", "--workers", 2, "--threads", 2))
    assert comparable(document) == comparable(by_one[1])


@pytest.mark.parametrize("score", ["synflow", "naswot", "grad_norm", "macs", "params"])
def test_scores(effnet, space, project, tmp_path, score):
    document = effnet.json(*search(space, project, tmp_path / "s", "--evaluator", "zerocost", "--score", score, "--trials", 6,
                                   "--controller", "random"))
    assert document["complete"] and document["counts"]["failed"] == 0 and document["objective"]["form"] == "limit"
    for trial in document["trials"]:
        assert trial["score"] == trial["quality"]
        if score == "macs":
            assert trial["quality"] == trial["cost"]


def test_supernet(effnet, space, project, tmp_path):
    weights, study = tmp_path / "super.safetensors", tmp_path / "s"
    made = effnet.json("search", "supernet", space, "--data", project / "data", "--out", weights, "--set", "train.epochs=2",
                       "--set", "train.batch=24", "--threads", "1")
    assert made["params"] > 0 and weights.exists()
    run = ["search", "run", study, "--space", space, "--evaluator", "supernet", "--supernet", weights, "--trials", 6,
           "--controller", "random", "--threads", 1]
    document = effnet.json(*run)
    assert document["complete"] and document["counts"]["failed"] == 0
    assert all(0 <= trial["quality"] <= 1 for trial in document["trials"])
    model = tmp_path / "found.safetensors"
    exported = effnet.json("search", "export", study, "-o", tmp_path / "found.toml", "--weights", model)
    assert exported["weights_path"] == str(model)
    # The engine gets the accuracy that the search has measured, apart from an image whose two best classes differ by a
    # rounding error.
    top1 = effnet.json("eval", model, project / "data" / "val")["top1"]
    assert abs(top1 - 100 * document["best"]["quality"]) <= 100 / 36 + 1e-9
    other = write(tmp_path / "other.toml", SPACE.replace("[2, 4]", "[2, 3]"))
    result = effnet("search", "run", tmp_path / "t", "--space", other, "--evaluator", "supernet", "--supernet", weights)
    effnet.check_error(result, 3)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("more, code, message", [
    ([], 2, "--data is missing"),
    (["--data", "/nonexistent"], 3, "/nonexistent"),
    (["--data", ".", "--recipe", "nosuch"], 3, "nosuch"),
    (["--data", ".", "--set", "optimizer.speed=1"], 2, "optimizer.speed"),
    (["--data", ".", "--set", "train.epochs=3"], 2, "--set train.epochs: it has no effect here: --budgets sets it"),
    (["--data", ".", "--budgets", "1,2k"], 2, "--budgets: wrong number of epochs (got '2k'"),
    (["--evaluator", "zerocost", "--device", "cpu"], 2, "--device: it has no effect here"),
    (["--data", ".", "--budgets", "3,1"], 2, "--budgets"),
    (["--data", ".", "--keep", "0"], 2, "keep"),
    (["--evaluator", "supernet"], 2, "--supernet is missing"),
    (["--evaluator", "supernet", "--supernet", "/nonexistent"], 3, "/nonexistent"),
    (["--evaluator", "zerocost", "--score", "guess"], 2, "guess"),
    (["--evaluator", "zerocost", "--score", "macs", "--objective", "soft"], 2, "limit"),
])
def test_wrong_options(effnet, space, tmp_path, more, code, message):
    result = effnet("search", "run", tmp_path / "s", "--space", space, *more)
    effnet.check_error(result, code)
    assert message in result.stderr and not (tmp_path / "s").exists()


def test_wrong_device(effnet, space, project, tmp_path):
    result = effnet(*search(space, project, tmp_path / "s", "--device", "gpu"))
    effnet.check_error(result, 2)
    assert "gpu" in result.stderr and not (tmp_path / "s").exists()
