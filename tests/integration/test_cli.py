"""The command line as in docs/cli.md: names, JSON fields, exit codes, one line for each error."""

import json
import math
import os
import subprocess

import pytest


def test_effnet_loads_few_libraries(effnet):
    """Each start loads the libraries: 25 small ones take some milliseconds, LibTorch alone takes a second."""
    result = effnet("--version", env={"LD_TRACE_LOADED_OBJECTS": "1"})  # as ldd does
    libraries = [line.split()[0] for line in result.stdout.splitlines()]
    assert "libc.so.6" in libraries and len(libraries) <= 40, libraries
    heavy = ("torch", "c10", "gloo", "blas", "lapack", "libmkl", "libpython", "protobuf", "libcuda", "opencv", "LLVM")
    assert not [name for name in libraries if any(part in name for part in heavy)]
    result = effnet("--version")
    assert result.returncode == 0 and result.stdout.startswith("effnet ")


def test_models_lists_the_family(effnet):
    rows = effnet.json("models")
    names = [row["name"] for row in rows]
    wanted = [f"efficientnet_b{i}" for i in range(9)] + ["efficientnet_l2"] + [f"efficientnet_lite{i}" for i in range(5)]
    wanted += ["mobilenet_v1", "mobilenet_v2", "mnasnet_a1", "mnasnet_b1", "resnet18", "resnet50", "resnet101", "resnet152", "amoebanet_b"]
    wanted += [f"tinynet_{letter}" for letter in "abcde"]
    assert sorted(names) == sorted(wanted)
    assert all(set(row) == {"name", "family", "resolution", "params", "macs"} for row in rows)
    assert [row["name"] for row in effnet.json("models", "lite")] == [f"efficientnet_lite{i}" for i in range(5)]
    assert [row["name"] for row in effnet.json("models", "resnet?0")] == ["resnet50"]


def test_inspect_fields(effnet):
    document = effnet.json("inspect", "efficientnet_b0", "--layers")
    assert document["params"] == 5288548 and document["macs"] == 385814752 and document["bn_statistics"] == 42016
    assert document["params_without_classifier"] == 4007548
    assert document["weights_bytes"] == 4 * (5288548 + 42016)
    assert document["activations"]["largest_bytes"] == 4 * 96 * 112 * 112
    assert document["activations"]["peak_bytes"] == 2 * 4 * 96 * 112 * 112
    assert document["stages"][6] == {"channels": 320, "repeats": 1, "resolution": 7}
    assert {"resolution", "resize", "crop", "filter", "mean", "std", "rule"} <= set(document["preprocessing"])
    layers = document["layers"]
    assert set(layers[1]) == {"name", "op", "kernel", "stride", "groups", "in", "out", "params", "macs"}
    assert sum(layer["macs"] for layer in layers) == document["macs"]
    assert sum(layer["params"] for layer in layers) == document["params"]
    stem = next(layer for layer in layers if layer["name"] == "stem.conv")
    assert (stem["kernel"], stem["stride"], stem["groups"], stem["in"], stem["out"]) == (3, 2, 1, [3, 224, 224], [32, 112, 112])


def test_inspect_other_sizes(effnet):
    assert effnet.json("inspect", "efficientnet_l2", "--resolution", "475")["macs"] == 170892857680
    wide = effnet.json("inspect", "efficientnet_b0", "--resolution", "300x200", "--classes", "10", "--batch", "4")
    assert wide["resolution"] == [300, 200] and wide["classes"] == 10
    assert wide["activations"]["largest_bytes"] == 4 * 4 * 96 * 150 * 100


def test_scale_by_hand_equals_the_family(effnet):
    scaled = effnet.json("scale", "efficientnet_b0", "--depth", "1.4", "--width", "1.2", "--resolution", "300")
    b3 = effnet.json("inspect", "efficientnet_b3")
    assert (scaled["params"], scaled["macs"], scaled["stages"]) == (b3["params"], b3["macs"], b3["stages"])
    assert scaled["phi"] is None and scaled["depth"] == 1.4 and scaled["width"] == 1.2
    assert scaled["constraint"] == pytest.approx(1.2 * 1.1**2 * 1.15**2)


def test_scale_to_targets_and_round_trip(effnet, tmp_path):
    for flag, target, field in (("--target-macs", 1.8e9, "macs"), ("--target-params", 12e6, "params")):
        scaled = effnet.json("scale", "efficientnet_b0", flag, str(target))
        assert scaled[field] <= target
    assert effnet.json("scale", "efficientnet_b0", "--target-macs", "1.8G")["macs"] >= 0.97 * 1.8e9
    out = tmp_path / "net.toml"
    scaled = effnet.json("scale", "efficientnet_lite0", "--phi", "1.5", "-o", str(out))
    assert out.read_text() == scaled["arch"]
    assert effnet.json("inspect", str(out))["macs"] == scaled["macs"]
    deep = effnet.json("scale", "resnet50", "--phi", "2", "--dims", "d")
    assert deep["width"] == 1 and deep["resolution"] == 224 and deep["depth"] == pytest.approx(1.44)


def test_scale_memory_target(effnet):
    scaled = effnet.json("scale", "efficientnet_b0", "--target-memory", "20MB")
    peak = effnet.json("inspect", "efficientnet_b0", "--resolution", str(scaled["resolution"]))["activations"]["peak_bytes"]
    assert scaled["activations"]["peak_bytes"] <= 20e6 and peak <= 20e6


USAGE = [
    (["scale", "amoebanet_b", "--phi", "1"], "cannot be scaled"),
    (["scale", "amoebanet_b", "--target-macs", "1G"], "cannot be scaled"),
    (["scale", "efficientnet_b0"], "one way"),
    (["scale", "efficientnet_b0", "--phi", "1", "--depth", "2"], "one way"),
    (["scale", "efficientnet_b0", "--target-macs", "5"], "cannot be reached"),
    (["scale", "efficientnet_b0", "--target-macs", "big"], "--target-macs"),
    (["scale", "efficientnet_b0", "--depth", "-1"], "--depth"),
    (["scale", "efficientnet_b0", "--phi", "1", "--dims", "x"], "--dims"),
    (["scale", "efficientnet_b0", "--phi", "nan"], "--phi"),
    (["inspect", "efficientnet_b0", "--resolution", "0"], "--resolution"),
    (["inspect", "efficientnet_b0", "--classes", "-3"], "--classes"),
    (["inspect", "efficientnet_b0", "--nonsense"], "nonsense"),
    (["inspect"], "MODEL"),
    (["inpect", "efficientnet_b0"], "'inpect'"),
    ([], "subcommand"),
    (["--threads", "0", "models"], "--threads"),
    (["export", "efficientnet_b0"], "choose one output"),
    (["predict", "efficientnet_b0", "x.png", "--backend", "gpu"], "--backend"),
    (["eval", "efficientnet_b0", "x", "--backend", "gpu"], "--backend"),
    (["eval", "efficientnet_b0", "x", "--precision", "fp64"], "--precision"),
    (["cam", "efficientnet_b0", "x.png", "-o", "y.png", "--backend", ""], "--backend"),
    (["models", "--threads", "1,2"], "a list"),
    (["--threads", "1,2", "predict", "efficientnet_b0", "x.png"], "a list"),
    (["bench", "efficientnet_b0", "--threads", "1,"], "--threads"),
    (["bench", "efficientnet_b0", "--batch", "0"], "--batch"),
    (["bench", "efficientnet_b0", "--batch", "1,x"], "--batch"),
    (["bench", "efficientnet_b0", "--batch", "1,,8"], "--batch"),
    (["bench", "efficientnet_b0", "--resolution", "224,"], "resolution"),
    (["bench", "efficientnet_b0", "--precision", "fp64"], "--precision"),
    (["bench", "efficientnet_b0", "--seconds", "0"], "--seconds"),
    (["bench", "efficientnet_b0", "--seconds", "nan"], "--seconds"),
    (["bench", "efficientnet_b0", "--tune", "--without", "fuse_pool"], "--tune cannot be combined with --without"),
    (["bench"], "MODEL"),
    (["compare", "efficientnet_b0"], "--backends"),
    (["compare", "efficientnet_b0", "--backends", "engine"], "two: A,B"),
    (["compare", "efficientnet_b0", "--backends", "engine,onnx"], "'onnx'"),
    (["scale", "efficientnet_b0", "--target-latency-ms", "-1"], "--target-latency-ms"),
    (["scale", "efficientnet_b0", "--target-latency-ms", "1e9"], "--target-latency-ms"),
    (["scale", "efficientnet_b0", "--target-latency-ms", "5", "--phi", "1"], "one way"),
    (["scale", "amoebanet_b", "--target-latency-ms", "5"], "cannot be scaled"),
]


@pytest.mark.parametrize("arguments,part", USAGE, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "")
def test_wrong_usage_exits_2(effnet, arguments, part):
    result = effnet(*arguments)
    effnet.check_error(result, 2)
    assert part in result.stderr


def test_unknown_model_exits_3_with_the_nearest(effnet):
    result = effnet("inspect", "eficientnet_b0")
    effnet.check_error(result, 3)
    assert "hint: did you mean efficientnet_b0?" in result.stderr


@pytest.mark.parametrize("name", ["quantize"])
def test_planned_commands_exit_4(effnet, name):
    result = effnet(*name.split(), "whatever", "--flag")
    effnet.check_error(result, 4)
    assert "not built yet" in result.stderr


def test_planned_options_exit_4(effnet, tmp_path):
    for arguments in (["predict", "efficientnet_b0", "x.png", "--precision", "int8"], ["eval", "efficientnet_b0", "x", "--precision", "bf16"],
                      ["bench", "efficientnet_b0", "--precision", "int8"], ["export", "efficientnet_b0", "--onnx", str(tmp_path / "x")],
                      ["export", "efficientnet_b0", "--onnx", str(tmp_path / "x"), "--opset", "17"]):
        effnet.check_error(effnet(*arguments), 4)


def test_forced_isa(effnet):
    assert effnet.json("doctor", env={"EFFNET_ISA": "portable"})["chosen_isa"] == "portable"
    document = effnet.json("doctor")
    assert document["chosen_isa"] in document["isa"]
    for arguments in (["models"], ["doctor"], ["bench", "efficientnet_b0"]):
        effnet.check_error(effnet(*arguments, env={"EFFNET_ISA": "avx9000"}), 4)


def test_threads(effnet):
    assert effnet.json("doctor", "--threads", "3")["threads"] == 3
    assert effnet.json("doctor", env={"EFFNET_THREADS": "5"})["threads"] == 5
    effnet.check_error(effnet("doctor", env={"EFFNET_THREADS": "many"}), 2)
    assert effnet.json("doctor")["threads"] == len(os.sched_getaffinity(0))


def test_doctor_fields(effnet):
    document = effnet.json("doctor")
    assert {"cpu", "isa", "chosen_isa", "threads", "memory_bytes", "libraries", "train", "problems"} <= set(document)
    assert "portable" in document["isa"] and document["memory_bytes"] > 1 << 26


def test_output_that_cannot_be_written_exits_4(effnet, tmp_path):
    result = effnet("scale", "efficientnet_b0", "--phi", "1", "-o", str(tmp_path / "missing" / "x.toml"))
    effnet.check_error(result, 4)
    for words in (["models"], ["--help"], ["--version"], ["predict", "--help"], ["launch", "-n", "2", "models"]):
        with open("/dev/full", "w") as full:
            result = subprocess.run([effnet.path, *words], stdout=full, stderr=subprocess.PIPE, text=True)
        assert result.returncode == 4, words
        assert "effnet: error: cannot write the result to stdout (No space left on device)" in result.stderr


@pytest.mark.parametrize("words", [["predict", "efficientnet_b0", "x.jpg"], ["eval", "efficientnet_b0", "."], ["cam", "efficientnet_b0", "x.jpg", "-o", "x.png"],
                                   ["bench", "efficientnet_b0"], ["compare", "efficientnet_b0", "--backends", "engine,reference"],
                                   ["export", "efficientnet_b0", "--pth", "x.pth"]])
def test_seed_is_a_whole_number(effnet, words):
    for seed in ("-1", "1e3", "18446744073709551616", "", "3.5"):
        result = effnet(*words, "--seed", seed)
        effnet.check_error(result, 2)
        assert f"--seed: wrong value (got '{seed}', expected a whole number from 0 to 18446744073709551615)" in result.stderr


def test_json_flag_works_at_any_position(effnet):
    first = effnet("--json", "inspect", "efficientnet_b1")
    second = effnet("inspect", "efficientnet_b1", "--json", "--quiet")
    assert json.loads(first.stdout) == json.loads(second.stdout)


def test_family_table_shows_paper_and_formula(effnet):
    rows = effnet.json("scale", "efficientnet_b0", "--family")
    b7 = next(row for row in rows if row["name"] == "efficientnet_b7")
    assert b7["params"] == 66347960 and b7["paper"] == {"params": "66M", "macs": "37B"}
    assert b7["formula"]["phi"] == pytest.approx(math.log(3.1 * 4 * (600 / 224) ** 2) / math.log(1.2 * 1.21 * 1.15**2))
