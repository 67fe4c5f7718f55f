"""The program for 64-bit ARM, run under QEMU, compared with the program for this machine.

The results agree within the tolerance between instruction sets. `tools/run_tests aarch64` builds both programs.
"""

import os
import shutil
import stat

import numpy
import pytest

from conftest import ROOT, Effnet
from test_target_symbols import offences, symbols

BUILD = os.path.join(ROOT, "build/aarch64")
SYSROOT = os.path.join(ROOT, "build/aarch64-sysroot")
QEMU = shutil.which("qemu-aarch64-static")
CHELSEA = os.path.join(ROOT, "examples/photos/chelsea.png")

pytestmark = pytest.mark.skipif(not os.access(os.path.join(BUILD, "bin/effnet"), os.X_OK) or QEMU is None,
                                reason="there is no build for 64-bit ARM: run tools/run_tests aarch64")


@pytest.fixture(scope="module")
def arm(effnet, tmp_path_factory):
    """The ARM program, with the EFFNET_HOME of the other one."""
    path = tmp_path_factory.mktemp("arm") / "effnet"
    path.write_text(f'#!/bin/sh\nexec {QEMU} -L {SYSROOT} {BUILD}/bin/effnet "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Effnet(str(path), effnet.home)


def answer(effnet, model, **options):
    image, = effnet.json("predict", model, CHELSEA, "--logits", "--quiet", **options)["images"]
    return image["top"], numpy.array(image["logits"])


def check_same_answer(got, expected):
    assert [row["index"] for row in got[0]] == [row["index"] for row in expected[0]]
    assert numpy.abs(numpy.array([row["score"] for row in got[0]]) - [row["score"] for row in expected[0]]).max() <= 1e-4
    apart = numpy.abs(got[1] - expected[1]).max()
    print(f"largest difference of logits {apart:.2g}, largest logit {numpy.abs(expected[1]).max():.3g}")
    assert apart <= 1e-4


def test_it_is_an_arm_program():
    with open(os.path.join(BUILD, "bin/effnet"), "rb") as file:
        header = file.read(20)
    assert header[:5] == b"\x7fELF\x02" and header[18:20] == b"\xb7\x00"  # 64 bits, EM_AARCH64


def test_doctor_chooses_neon(arm):
    document = arm.json("doctor")
    assert document["isa"] == ["portable", "neon"] and document["chosen_isa"] == "neon"
    assert arm.json("doctor", env={"EFFNET_ISA": "portable"})["chosen_isa"] == "portable"
    for name in ("avx2", "sse9"):
        arm.check_error(arm("doctor", env={"EFFNET_ISA": name}), 4)


@pytest.mark.parametrize("model, name", [("tiny", "portable"), ("tiny", "neon"), ("efficientnet_b0", "neon")])
def test_instruction_sets_agree(arm, effnet, tiny, model, name):
    model = tiny if model == "tiny" else model
    check_same_answer(answer(arm, model, env={"EFFNET_ISA": name}), answer(effnet, model))


def test_threads_do_not_change_bits(arm, tiny):
    one = answer(arm, tiny, env={"EFFNET_THREADS": "1"})[1]
    assert (answer(arm, tiny, env={"EFFNET_THREADS": "3"})[1] == one).all()


def test_a_published_network(arm, effnet, pulled):
    pulled("efficientnet_lite0")
    check_same_answer(answer(arm, "efficientnet_lite0"), answer(effnet, "efficientnet_lite0"))


@pytest.mark.parametrize("set_name", ["portable", "neon"])
def test_kernel_objects_export_no_code(set_name):
    path = os.path.join(BUILD, f"effnet/kernels/CMakeFiles/effnet_kernels.dir/simd/{set_name}.cc.o")
    found = symbols(path)
    assert len([name for kind, name in found if kind == "t" and f"effnet::kernels::{set_name}::" in name]) > 50
    assert offences(found) == []
