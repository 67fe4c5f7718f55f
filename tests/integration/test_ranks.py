"""Processes that are started to train together: those that disagree end before the first step, all of them with the same
words; a signal ends all of them wherever they are; who is awaited is said; too few threads or files are an error."""

import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from conftest import wait_for
from test_distributed import RECIPE as THREE_EPOCHS
from test_train import ARCH, built, write_set  # noqa: F401 (a fixture)

# A run that is never over before its test.
RECIPE = THREE_EPOCHS.replace('"inception"', '"none"').replace("epochs = 3", "epochs = 1000").replace("[distributed]\nsync_bn = true\n", "")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("ranks")
    write_set(place / "data", [12] * 3, [2] * 3)
    write_set(place / "more", [13] * 3, [2] * 3)
    write_set(place / "val", [12] * 3, [3] * 3)
    write_set(place / "names", [12] * 3, [2] * 3, ("across", "checks", "dawn"))
    (place / "net.toml").write_text(ARCH)
    (place / "recipe.toml").write_text(RECIPE)
    (place / "other").mkdir()
    (place / "other" / "net.toml").write_text(ARCH.replace("channels = 24", "channels = 32"))
    return place


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(**changes):
    return {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")} | changes


def start_rank(effnet, place, rank, out, port, *words, data="data", world=2, address="127.0.0.1", **how):
    variables = environment(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank), MASTER_ADDR=address, MASTER_PORT=str(port),
                            EFFNET_THREADS="1")
    arguments = ["train", place / "recipe.toml", "--data", place / data, "--out", out, *words]
    return subprocess.Popen([effnet.path, *map(str, arguments)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def ends(processes, seconds=300):
    """The exit code and stderr of each; whoever is not done is killed."""
    try:
        return [(process.communicate(timeout=seconds)[1], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize("words, data, said", [
    (("--set", "train.epochs=2"), "data", r"train\.epochs is 2\.0, on rank 0 it is 1000\.0"),
    (("--set", "train.batch=18"), "data", r"train\.batch is 18, on rank 0 it is 12"),
    (("--set", "optimizer.lr=0.1", "--set", "seed=4", "--set", "model.dropout=0.3"), "data",
     r"seed is 4, on rank 0 it is 3; model\.dropout is 0\.3, on rank 0 it is 0\.2; optimizer\.lr is 0\.1, on rank 0 it is 0\.05"),
    ((), "more", r"the number of training images is 39, on rank 0 it is 36"),
    ((), "val", r"the number of validation images is 9, on rank 0 it is 6"),
    ((), "names", r"class 2 is 'dawn', on rank 0 it is 'down'"),
    (("--set", "model.name={place}/other/net.toml"), "data", r"channels \(line \d+ of the architecture\) is 32, on rank 0 it is 24"),
])
def test_ranks_that_disagree_end_before_the_first_step(effnet, place, tmp_path, words, data, said):
    out, port = tmp_path / "run", free_port()
    ranks = [start_rank(effnet, place, 0, out, port),
             start_rank(effnet, place, 1, out, port, *(word.format(place=place) for word in words), data=data)]
    for err, code in ends(ranks):
        assert code == 2, err
        assert re.search(r"effnet: error: rank 1: " + said, err), err
    assert not (out / "metrics.csv").exists()


def test_what_is_a_machines_own_may_differ(effnet, place, tmp_path):
    out, port = tmp_path / "run", free_port()
    ranks = [start_rank(effnet, place, 0, out, port, "--set", "train.epochs=1"),
             start_rank(effnet, place, 1, out, port, "--set", "train.epochs=1", "--set", "data.workers=2", "--set", f"model.name={place / 'net.toml'}")]
    for err, code in ends(ranks):
        assert code == 0, err


def with_word(word):
    """Processes with this argument that are alive."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{one}/cmdline", "rb") as file, open(f"/proc/{one}/stat") as state:
                if word.encode() in file.read().split(b"\0") and state.read().rsplit(") ", 1)[1][0] != "Z":
                    found.append(int(one))
        except OSError:
            pass
    return found


def catches(process, number):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{process}/status") as file:
        return int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16) >> (number - 1) & 1 == 1


@pytest.mark.parametrize("number, delay", [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.05), (signal.SIGHUP, 0.3), (signal.SIGTERM, 0.8),
                                           (signal.SIGINT, 1.4)])
def test_a_signal_ends_a_launch_at_any_moment(effnet, place, tmp_path, number, delay):
    out = tmp_path / "run"
    words = ["launch", "-n", "2", "--threads", "2", "train", place / "recipe.toml", "--data", place / "data", "--out", out]
    process = subprocess.Popen([effnet.path, *map(str, words)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: catches(process.pid, number), process)
    time.sleep(delay)  # whatever the launch has come to by then
    process.send_signal(number)
    ((err, code),) = ends([process])
    assert code == 130, err
    assert not with_word(str(out))


def test_a_signal_is_answered_while_the_others_are_awaited(effnet, place, tmp_path):
    """Rank 1 waits for rank 0, which never comes, and another 0 for 1; both say so first."""
    said = {1: "waiting for rank 0 at 127.0.0.1:", 0: "waiting for rank 1 at 127.0.0.1:"}
    processes = {rank: start_rank(effnet, place, rank, tmp_path / f"run{rank}", free_port()) for rank in said}
    for rank, process in processes.items():
        assert said[rank] in process.stderr.readline()  # after some seconds
        process.send_signal(signal.SIGTERM)
    for err, code in ends(processes.values()):
        assert code == 130 and "effnet: error: interrupted" in err, err


def test_an_address_that_is_not_known(effnet, place, tmp_path):
    for rank in (0, 1):
        process = start_rank(effnet, place, rank, tmp_path / "run", free_port(), address="no host")
        ((err, code),) = ends([process])
        assert code == 2, err
        lines = err.splitlines()
        assert lines[0].startswith("effnet: error: MASTER_ADDR: unknown host (got 'no host'") and len(lines) == 2, err


def limited(kind, value):
    def limit():
        if kind == resource.RLIMIT_NPROC:
            os.setgid(61234)
            os.setuid(61234)
        resource.setrlimit(kind, (value, value))
    return limit


def test_too_few_files_are_an_error(effnet, place, tmp_path):
    process = start_rank(effnet, place, 0, tmp_path / "run", free_port(), preexec_fn=limited(resource.RLIMIT_NOFILE, 40))
    ((err, code),) = ends([process])
    assert code == 4 and "may open too few files (got a limit of 40" in err, err


@pytest.mark.parametrize("world, room", [(1, 2), (1, 5), (2, 7)])
def test_too_few_threads_are_an_error(effnet, tmp_path, world, room):
    """LibTorch's pool waits for ever for a thread that it does not get. The limit counts all threads of a user, so a user that runs nothing else
    takes the test; not root's."""
    if os.geteuid() != 0:
        pytest.skip("needs a user of its own")
    variables = environment(RANK="0", WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), EFFNET_THREADS="1")
    # A recipe that is built in: the folders of a test are not this user's to read.
    process = subprocess.Popen([effnet.path, "train", "quick", "--set", "data.synthetic=64", "--out", tmp_path / "run"], env=variables, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limited(resource.RLIMIT_NPROC, room))
    ((err, code),) = ends([process])
    assert code == 4 and re.search(r"the system lets this process start too few threads \(got \d+, expected \d+", err), err
