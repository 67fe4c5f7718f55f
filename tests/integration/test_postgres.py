"""Studies on a PostgreSQL server: the C++ tests of effnet/search with a real server, which is also stopped and started
in the middle of a search.

The server runs in a temporary folder. initdb does not work for root. If the tests run as root, the server runs as another
user of the system, `postgres` or `nobody`. Skipped if PostgreSQL or the test program is not installed."""

import glob
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

PASSWORD = "effnet-se%cret"


def tool(name):
    """The newest installed version: Debian keeps these programs outside PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: float(path.split("/")[4]))
    return found[-1] if found else shutil.which(name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server on a free port. Its socket and data are in `folder`."""

    def __init__(self, folder):
        self.folder, self.data, self.port = folder, f"{folder}/data", free_port()
        self.user = []
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(name) for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
            os.chown(folder, user.pw_uid, user.pw_gid)
            self.user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        with open(f"{folder}/password", "w") as file:
            file.write(PASSWORD + "\n")
        os.chmod(f"{folder}/password", 0o644)
        self.run([tool("initdb"), "-D", self.data, "-U", "effnet", "-A", "scram-sha-256", f"--pwfile={folder}/password",
                  "--encoding=UTF8", "--locale=C", "--no-sync"])
        with open(f"{self.data}/postgresql.conf", "a") as file:
            file.write(f"port = {self.port}\nunix_socket_directories = '{folder}'\nlisten_addresses = '127.0.0.1'\nfsync = off\n")

    def command(self, *words):
        return [*self.user, *words]

    def run(self, words):
        result = subprocess.run(self.command(*words), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=300)
        assert result.returncode == 0, result.stdout

    @property
    def start_words(self):
        return [tool("pg_ctl"), "start", "-w", "-t", "120", "-s", "-D", self.data, "-l", f"{self.folder}/log"]

    @property
    def stop_words(self):
        return [tool("pg_ctl"), "stop", "-w", "-t", "120", "-s", "-D", self.data, "-m", "immediate"]

    def url(self, password=PASSWORD):
        return f"postgresql://effnet:{password.replace('%', '%25')}@127.0.0.1:{self.port}/postgres"


@pytest.fixture(scope="module")
def server():
    if not tool("initdb") or not tool("pg_ctl"):
        pytest.skip("PostgreSQL is not installed (tools/install_deps test)")
    folder = tempfile.mkdtemp(prefix="effnet-postgres-", dir="/tmp")  # the path of a socket has at most 107 bytes
    os.chmod(folder, 0o755)
    try:
        server = Server(folder)
        server.run(server.start_words)
        yield server
        subprocess.run(server.command(*server.stop_words), stdout=subprocess.DEVNULL, timeout=300)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def search_test(server):
    folder = os.environ.get("EFFNET_BIN_DIR") or os.path.dirname(os.environ.get("EFFNET_BIN", ""))
    program = os.path.join(folder, "effnet_search_test")
    if not folder or not os.access(program, os.X_OK):
        pytest.skip("effnet_search_test is not built: set EFFNET_BIN_DIR to the folder of the built programs")

    def run(pattern, **variables):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("EFFNET_", "PG"))}
        environment.update({"EFFNET_TEST_POSTGRES": server.url(), **variables})
        result = subprocess.run([program, f"--gtest_filter={pattern}"], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=600)
        assert result.returncode == 0, result.stdout
        assert "[  SKIPPED ]" not in result.stdout, result.stdout
        assert PASSWORD not in result.stdout
        return int(re.search(r"\[  PASSED  \] (\d+) test", result.stdout).group(1))
    return run


def test_the_tests_of_studies_and_workers_pass(search_test):
    assert search_test("*StudyTest*/postgres:*WorkerTest*/postgres") >= 20


def test_a_server_that_is_stopped_and_started_loses_nothing(server, search_test):
    def shell(words):
        return " ".join(server.command(*words)) + " >/dev/null 2>&1"
    assert search_test("*AStoppedServerLosesNothing/postgres", EFFNET_TEST_POSTGRES_STOP=shell(server.stop_words),
                       EFFNET_TEST_POSTGRES_START=shell(server.start_words)) == 1


def test_errors_of_the_server_are_one_line_without_the_password(server, search_test):
    assert search_test("*PostgresTest*/postgres-*AStoppedServer*", EFFNET_TEST_POSTGRES_REFUSED=server.url("effnet-wrong")) >= 4
