"""Groups of training processes. Ranks with different settings end before the first step, all with the same message. A
signal ends all of them at any moment. A message names the missing ranks. Too few threads or files are an error."""

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
from test_train import ARCH, built, write_dataset  # noqa: F401 (a fixture)

# A run that lasts longer than its test.
RECIPE = THREE_EPOCHS.replace('"inception"', '"none"').replace("epochs = 3", "epochs = 1000").replace("[distributed]\nsync_bn = true\n", "")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = tmp_path_factory.mktemp("ranks")
    write_dataset(project / "data", [12] * 3, [2] * 3)
    write_dataset(project / "more", [13] * 3, [2] * 3)
    write_dataset(project / "val", [12] * 3, [3] * 3)
    write_dataset(project / "names", [12] * 3, [2] * 3, ("across", "checks", "dawn"))
    (project / "net.toml").write_text(ARCH)
    (project / "recipe.toml").write_text(RECIPE)
    (project / "other").mkdir()
    (project / "other" / "net.toml").write_text(ARCH.replace("channels = 24", "channels = 32"))
    return project


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(**changes):
    return {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")} | changes


def start_rank(effnet, project, rank, out, port, *words, data="data", world=2, address="127.0.0.1", **how):
    variables = environment(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank), MASTER_ADDR=address, MASTER_PORT=str(port),
                            EFFNET_THREADS="1")
    arguments = ["train", project / "recipe.toml", "--data", project / data, "--out", out, *words]
    return subprocess.Popen([effnet.path, *map(str, arguments)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def results_of(processes, seconds=300):
    """The exit code and stderr of each process. Kills the processes that have not ended."""
    try:
        return [(process.communicate(timeout=seconds)[1], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize("words, data, message", [
    (("--set", "train.epochs=2"), "data", r"train\.epochs is 2\.0, on rank 0 it is 1000\.0"),
    (("--set", "train.batch=18"), "data", r"train\.batch is 18, on rank 0 it is 12"),
    (("--set", "optimizer.lr=0.1", "--set", "seed=4", "--set", "model.dropout=0.3"), "data",
     r"seed is 4, on rank 0 it is 3; model\.dropout is 0\.3, on rank 0 it is 0\.2; optimizer\.lr is 0\.1, on rank 0 it is 0\.05"),
    ((), "more", r"the number of training images is 39, on rank 0 it is 36"),
    ((), "val", r"the number of validation images is 9, on rank 0 it is 6"),
    ((), "names", r"class 2 is 'dawn', on rank 0 it is 'down'"),
    (("--set", "model.name={project}/other/net.toml"), "data", r"channels \(line \d+ of the architecture\) is 32, on rank 0 it is 24"),
])
def test_ranks_that_disagree_end_before_the_first_step(effnet, project, tmp_path, words, data, message):
    out, port = tmp_path / "run", free_port()
    ranks = [start_rank(effnet, project, 0, out, port),
             start_rank(effnet, project, 1, out, port, *(word.format(project=project) for word in words), data=data)]
    for err, code in results_of(ranks):
        assert code == 2, err
        assert re.search(r"effnet: error: rank 1: " + message, err), err
    assert not (out / "metrics.csv").exists()


def test_machine_settings_may_differ(effnet, project, tmp_path):
    out, port = tmp_path / "run", free_port()
    ranks = [start_rank(effnet, project, 0, out, port, "--set", "train.epochs=1"),
             start_rank(effnet, project, 1, out, port, "--set", "train.epochs=1", "--set", "data.workers=2", "--set", f"model.name={project / 'net.toml'}")]
    for err, code in results_of(ranks):
        assert code == 0, err


def processes_with_argument(word):
    """The running processes with this argument."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{one}/cmdline", "rb") as file, open(f"/proc/{one}/stat") as state:
                if word.encode() in file.read().split(b"\0") and state.read().rsplit(") ", 1)[1][0] != "Z":
                    found.append(int(one))
        except OSError:
            pass
    return found


def has_handler(process, number):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{process}/status") as file:
        return int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16) >> (number - 1) & 1 == 1


@pytest.mark.parametrize("number, delay", [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.05), (signal.SIGHUP, 0.3), (signal.SIGTERM, 0.8),
                                           (signal.SIGINT, 1.4)])
def test_a_signal_ends_a_launch_at_any_moment(effnet, project, tmp_path, number, delay):
    out = tmp_path / "run"
    words = ["launch", "-n", "2", "--threads", "2", "train", project / "recipe.toml", "--data", project / "data", "--out", out]
    process = subprocess.Popen([effnet.path, *map(str, words)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: has_handler(process.pid, number), process)
    time.sleep(delay)  # the launch may be at any point
    process.send_signal(number)
    ((err, code),) = results_of([process])
    assert code == 130, err
    assert not processes_with_argument(str(out))


def test_signal_ends_a_rank_that_waits_for_others(effnet, project, tmp_path):
    """Rank 1 waits for rank 0, which is not started, and in another group rank 0 for rank 1. Both report it first."""
    message = {1: "waiting for rank 0 at 127.0.0.1:", 0: "waiting for rank 1 to join at 127.0.0.1:"}
    processes = {rank: start_rank(effnet, project, rank, tmp_path / f"run{rank}", free_port()) for rank in message}
    for rank, process in processes.items():
        assert message[rank] in process.stderr.readline()  # printed after some seconds
        process.send_signal(signal.SIGTERM)
    for err, code in results_of(processes.values()):
        assert code == 130 and "effnet: error: interrupted" in err, err


def test_unknown_address_is_an_error(effnet, project, tmp_path):
    for rank in (0, 1):
        process = start_rank(effnet, project, rank, tmp_path / "run", free_port(), address="no host")
        ((err, code),) = results_of([process])
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


def test_too_few_files_are_an_error(effnet, project, tmp_path):
    process = start_rank(effnet, project, 0, tmp_path / "run", free_port(), preexec_fn=limited(resource.RLIMIT_NOFILE, 40))
    ((err, code),) = results_of([process])
    assert code == 4 and "the limit of open files is too low (got 40" in err, err


@pytest.mark.parametrize("world, room", [(1, 2), (1, 5), (2, 7)])
def test_too_few_threads_are_an_error(effnet, tmp_path, world, room):
    """LibTorch's thread pool would wait forever for a thread that cannot be started. The limit counts all threads of a
    user and does not apply to root, so the test runs as a user without other processes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to start a process as another user")
    variables = environment(RANK="0", WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), EFFNET_THREADS="1")
    # A built-in recipe, because this user cannot read the folders of the test.
    process = subprocess.Popen([effnet.path, "train", "quick", "--set", "data.synthetic=64", "--out", tmp_path / "run"], env=variables, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limited(resource.RLIMIT_NPROC, room))
    ((err, code),) = results_of([process])
    assert code == 4 and re.search(r"too few threads can be started \(got \d+, expected \d+", err), err
