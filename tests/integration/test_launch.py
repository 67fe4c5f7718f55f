"""effnet launch: variables, output, exit codes and signals of its processes.

The command is `train`, with a script instead of effnet-train. The script's action depends on the rank.
"""

import os
import resource
import signal
import subprocess

import pytest

from conftest import wait_for

HEAD = """#!/bin/sh
cd "$PLACE"
case "$*" in *--version*) echo "{\\"version\\": \\"$VERSION\\"}"; exit 0;; esac
"""


@pytest.fixture
def launch(effnet, tmp_path):
    """launch(script, count, ...): starts `effnet launch -n COUNT train`, whose ranks run the script in tmp_path."""
    version = effnet("--version").stdout.split()[1]
    started = []

    def start(script, count, *options, command=("train", "--out", "run"), **how):
        program = tmp_path / "fake-train"
        program.write_text(HEAD + script)
        program.chmod(0o755)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")}
        environment |= {"EFFNET_TRAIN": str(program), "PLACE": str(tmp_path), "VERSION": version, "RANK": "7", "MASTER_PORT": "1"}
        process = subprocess.Popen([effnet.path, "launch", "-n", str(count), *options, *command], env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(process, seconds=300):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def alive(process_id):
    try:
        with open(f"/proc/{process_id}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def test_each_rank_has_its_variables(launch, tmp_path):
    code, _, err = finish(launch("env > env.$RANK; echo \"$*\" > words.$RANK", 3, "--threads", "7"))
    assert (code, err) == (0, "")
    ranks = [dict(line.split("=", 1) for line in (tmp_path / f"env.{rank}").read_text().splitlines() if "=" in line) for rank in range(3)]
    for rank, variables in enumerate(ranks):
        assert variables["RANK"] == variables["LOCAL_RANK"] == str(rank)
        assert variables["WORLD_SIZE"] == variables["LOCAL_WORLD_SIZE"] == "3"
        assert variables["MASTER_ADDR"] == "127.0.0.1"
        assert variables["EFFNET_THREADS"] == variables["OMP_NUM_THREADS"] == "2"
        assert (tmp_path / f"words.{rank}").read_text() == "train --out run\n"
    ports = {variables["MASTER_PORT"] for variables in ranks}
    assert len(ports) == 1 and 1024 <= int(ports.pop()) <= 65535


def test_stdout_is_of_rank_0_and_stderr_names_the_rank(launch):
    code, out, err = finish(launch("echo out $RANK; echo one $RANK >&2; [ $RANK = 0 ] || printf 'two\\n\\nend' >&2", 2))
    assert (code, out) == (0, "out 0\n")
    assert [line for line in err.splitlines() if line.startswith("[rank 1] ")] == ["[rank 1] one 1", "[rank 1] two", "[rank 1] ", "[rank 1] end"]
    assert [line for line in err.splitlines() if line and not line.startswith("[rank 1]")] == ["one 0"]


def test_a_long_line_does_not_fill_the_memory(launch):
    code, _, err = finish(launch("[ $RANK = 0 ] || head -c 300000 /dev/zero | tr '\\0' x >&2", 2))
    assert code == 0 and err.count("x") == 300000 and err.count("[rank 1] ") == 5


# kill -0 of an ended process succeeds until its parent, the launcher, has read its exit code.
AWAIT_1 = """
[ $RANK = 1 ] && echo $$ > part && mv part id.1
await_1() { while [ ! -e id.1 ] || kill -0 $(cat id.1) 2>/dev/null; do sleep 0.01; done; }
"""


def test_the_first_failure_is_the_exit_code(launch, tmp_path):
    code, out, err = finish(launch(AWAIT_1 + "if [ $RANK = 1 ]; then exit 3; fi; await_1; exit 4", 2))
    assert (code, out, err) == (3, "", "")
    (tmp_path / "id.1").unlink()
    code, _, _ = finish(launch(AWAIT_1 + "if [ $RANK != 2 ]; then exit 0; fi; await_1; exit 2", 3))
    assert code == 2


def test_a_killed_rank_is_named(launch):
    code, _, err = finish(launch(AWAIT_1 + "if [ $RANK = 1 ]; then kill -9 $$; fi; await_1; exit 4", 2))
    assert code == 137
    assert err == "effnet: error: rank 1 of 2 was killed by signal 9 (Killed)\n"


@pytest.mark.slow
def test_remaining_ranks_are_terminated_then_killed(launch, tmp_path):
    """After a failure the other ranks have 10 s to end by themselves, as rank 0 does. Then they get SIGTERM, which ends
    rank 2. After 10 s more, rank 3, which ignores SIGTERM, is killed."""
    process = launch(AWAIT_1 + """
trap 'echo asked > asked.$RANK; exit 130' TERM
[ $RANK != 3 ] || trap '' TERM
touch ready.$RANK
while [ ! -e ready.0 ] || [ ! -e ready.2 ] || [ ! -e ready.3 ]; do sleep 0.01; done
case $RANK in
0) await_1; echo calm > calm; exit 0;;
1) exit 4;;
*) while :; do sleep 0.1; done; echo over > over;;
esac""", 4)
    code, _, _ = finish(process)
    assert code == 4
    assert sorted(file.name for file in tmp_path.glob("asked.*")) == ["asked.2"]
    assert (tmp_path / "calm").exists() and not (tmp_path / "over").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on_once_and_waited_for(launch, tmp_path, number):
    process = launch("""
trap 'echo signal >> signals.$RANK' TERM INT
touch ready.$RANK
while [ ! -e signals.$RANK ]; do sleep 0.05; done
sleep 0.5; echo saved > saved.$RANK; exit 130""", 2)
    wait_for(lambda: (tmp_path / "ready.0").exists() and (tmp_path / "ready.1").exists())
    process.send_signal(number)
    code, _, _ = finish(process)
    assert code == 130
    for rank in (0, 1):
        assert (tmp_path / f"saved.{rank}").exists() and (tmp_path / f"signals.{rank}").read_text() == "signal\n"


def test_killed_launcher_leaves_no_process(launch, tmp_path):
    process = launch("echo $$ > part.$RANK; mv part.$RANK id.$RANK; exec sleep 100", 2)
    wait_for(lambda: (tmp_path / "id.0").exists() and (tmp_path / "id.1").exists())
    ids = [int((tmp_path / f"id.{rank}").read_text()) for rank in (0, 1)]
    process.kill()
    wait_for(lambda: not any(alive(one) for one in ids))


def processes_with_environment(text):
    """The processes with this text in their environment."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{one}/environ", "rb") as file:
                if text.encode() in file.read().split(b"\0") and alive(one):
                    found.append(int(one))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("files", [16, 24])
def test_ranks_end_if_a_later_rank_cannot_start(launch, tmp_path, files):
    """Each rank needs a pipe, so that the last ranks exceed the limit of open files. SIGTERM is blocked, because the
    kernel sends it when the launcher ends: so the test sees the processes that the launcher itself did not end."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    process = launch("exec sleep 100", 32, preexec_fn=limit)
    try:
        assert process.wait(timeout=300) == 4
        wait_for(lambda: not processes_with_environment(f"PLACE={tmp_path}"))
        assert "effnet: error: cannot make a pipe for rank " in process.stderr.read()
    finally:
        for one in processes_with_environment(f"PLACE={tmp_path}"):
            os.kill(one, signal.SIGKILL)


def test_wrong_usage(effnet):
    for words, message in ((["launch"], "-n is required"), (["launch", "-n", "2"], "no command"), (["launch", "-n", "0", "models"], "-n: wrong value"),
                        (["launch", "-n", "2", "modles"], "unknown command"), (["launch", "-n", "2", "launch", "-n", "2", "models"], "unknown command"),
                        (["launch", "-n", "2", "--what", "models"], "unknown option"), (["launch", "-n", "2", "--threads", "1,2", "models"], "a list")):
        result = effnet(*words)
        effnet.check_error(result, 2)
        assert message in result.stderr, result.stderr


def test_any_command_can_be_launched(effnet):
    document = effnet.json("launch", "-n", "2", "models", "efficientnet_b0")
    assert document[0]["name"] == "efficientnet_b0"
    result = effnet("launch", "-n", "2", "--json", "inspect", "nosuch")
    assert result.returncode == 3 and "[rank 1] effnet: error: unknown model" in result.stderr
