"""effnet on other CPUs, emulated by QEMU: it uses their instruction set, and its results are bit for bit those of the
same instruction set on this machine.

QEMU's user mode runs one program on an emulated CPU. An instruction that this CPU lacks ends the program, as on a real
CPU. The floating-point arithmetic, fused multiply-add included, follows IEEE 754, so results have to be equal.

A program started with execv() runs on the real CPU again. So training is started as effnet-train (the program that
`effnet train` executes) and with OMP_WAIT_POLICY set, without which effnet-train executes itself again.
"""

import csv
import os
import platform
import re
import shutil
import subprocess

import numpy
import pytest

from conftest import ROOT, Effnet

# QEMU's CPU model and its widest instruction set: SSE 4.2; AVX2 with FMA.
CPUS = {"Nehalem": "portable", "Haswell": "avx2"}
# LibTorch chooses its loops by the CPU too, so here it is told to use those of the emulated CPU. libm and oneDNN also
# choose by the CPU, but the compared results do not depend on it.
LOOPS = {"Nehalem": "default", "Haswell": "avx2"}
QEMU = "qemu-x86_64-static"
PHOTO = os.path.join(ROOT, "examples/photos/rocket.jpg")
ALONE = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

NET = """
name = "small"
resolution = 32
classes = 5
preprocessing = "whole"
[stem]
channels = 8
[[stages]]
channels = 24
stride = 1
expand = 2
se = 0.25
repeats = 2
[[stages]]
channels = 40
kernel = 5
stride = 2
expand = 3
se = 0.25
[head]
channels = 48
"""

RECIPE = """
seed = 3
[model]
name = "net.toml"
[data]
workers = 1
[train]
epochs = 1
batch = 10
[optimizer]
name = "sgd"
lr = 0.05
[schedule]
name = "constant"
warmup_epochs = 0
[ema]
decay = 0.9
"""


class OnCpu(Effnet):
    """Runs effnet, or a program in its folder, on an emulated CPU."""

    def __init__(self, path, home, cpu):
        super().__init__(path, home)
        self.cpu = cpu

    def __call__(self, *arguments, env=None, program="effnet", **options):
        path = os.path.join(os.path.dirname(self.path), program)
        result = Effnet(QEMU, self.home)("-cpu", self.cpu, path, *arguments, env={**ALONE, **(env or {})}, **options)
        result.stderr = re.sub(r"^qemu-\S+: warning: TCG doesn't support requested feature.*\n", "", result.stderr, flags=re.MULTILINE)
        assert "uncaught target signal" not in result.stderr, f"{self.cpu}: {program} {arguments[0]}: {result.stderr}"
        return result


class Native(Effnet):
    """Runs the same programs on the real CPU, restricted to the instruction set of the emulated one."""

    def __init__(self, path, home, cpu):
        super().__init__(path, home)
        self.cpu = cpu

    def __call__(self, *arguments, env=None, program="effnet", **options):
        path = os.path.join(os.path.dirname(self.path), program)
        held = {**ALONE, "ATEN_CPU_CAPABILITY": LOOPS[self.cpu], "EFFNET_ISA": CPUS[self.cpu]}
        return Effnet(path, self.home)(*arguments, env={**held, **(env or {})}, **options)


@pytest.fixture(scope="module", params=CPUS)
def cpu(request):
    if platform.machine() != "x86_64":
        pytest.skip("effnet is not built for x86-64")
    if shutil.which(QEMU) is None:
        pytest.skip(f"{QEMU} is not installed: run tools/install_deps test")
    return request.param


@pytest.fixture(scope="module")
def emulated(effnet, cpu, tmp_path_factory):
    """effnet on the emulated CPU, with an EFFNET_HOME of its own, so that it packs the weights itself."""
    return OnCpu(effnet.path, tmp_path_factory.mktemp(cpu), cpu)


@pytest.fixture(scope="module")
def native(effnet, cpu, tmp_path_factory):
    if CPUS[cpu] not in effnet.json("doctor")["isa"]:
        pytest.skip(f"this CPU lacks {CPUS[cpu]}, so there is nothing to compare with")
    return Native(effnet.path, tmp_path_factory.mktemp("here"), cpu)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with images for two steps, a network and a recipe."""
    project = tmp_path_factory.mktemp("other_cpus")
    maker = os.path.join(ROOT, "tools/small_dataset")
    subprocess.run([maker, project / "data", "--train", "4", "--val", "1", "--size", "32"], check=True, stdout=subprocess.DEVNULL)
    (project / "net.toml").write_text(NET)
    (project / "recipe.toml").write_text(RECIPE)
    return project


def test_best_instruction_set_of_the_cpu_is_chosen(emulated, cpu):
    document = emulated.json("doctor")
    sets = list(CPUS.values())
    assert document["isa"] == sets[:sets.index(CPUS[cpu]) + 1]
    assert document["chosen_isa"] == CPUS[cpu]
    assert emulated.json("doctor", env={"EFFNET_ISA": "portable"})["chosen_isa"] == "portable"


def test_instruction_set_that_the_cpu_lacks_is_refused(emulated):
    result = emulated("models", env={"EFFNET_ISA": "avx512"})
    emulated.check_error(result, 4)
    assert "this CPU lacks the instruction set (got 'avx512', expected " in result.stderr


def test_predictions(effnet, pulled, emulated, native):
    model = pulled("efficientnet_lite0")["path"]
    words = ("predict", model, PHOTO, "--logits", "--threads", 1)
    there, same_set, best = [one.json(*words)["images"][0] for one in (emulated, native, effnet)]
    assert there["logits"] == same_set["logits"]
    assert there["top"] == same_set["top"]
    # Another instruction set adds in another order.
    logits, others = numpy.array(there["logits"]), numpy.array(best["logits"])
    assert numpy.abs(logits - others).max() <= 1e-4 * numpy.abs(others).max()


# Networks with squeeze-and-excitation and SiLU, which the published model lacks; with random weights.
def test_bench_check_agrees(emulated, native, project):
    words = ("bench", project / "net.toml", "--threads", 1, "--seconds", 0.01, "--check")
    there, same_set = emulated.json(*words), native.json(*words)
    assert there["isa"] == CPUS[emulated.cpu]
    assert 0 < there["max_rel_error"] <= 1e-4
    assert there["max_rel_error"] == same_set["max_rel_error"]


def test_training(emulated, native, project, tmp_path):
    if not os.access(os.path.join(os.path.dirname(emulated.path), "effnet-train"), os.X_OK):
        pytest.skip("effnet-train is not built")
    runs = []
    for name, one in (("emulated", emulated), ("here", native)):
        out = tmp_path / name
        summary = one.json("train", project / "recipe.toml", "--data", project / "data", "--out", out, "--threads", 1, "--quiet",
                           program="effnet-train")
        assert summary["isa"] == CPUS[emulated.cpu]
        with open(out / "metrics.csv") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            del row["images_per_second"]
        assert [row["step"] for row in rows] == ["2"]
        runs.append((rows, (out / "predictions.csv").read_text(), (out / "model.safetensors").read_bytes()))
    assert runs[0] == runs[1]
