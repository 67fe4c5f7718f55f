"""The competitors: a peer in a process of its own (Peer), and effnet, a new process in each turn (Effnet).

Both have turn(seconds, min_runs) -> {"min_ms", "median_ms", "runs"}, times of a whole batch, and close().
"""

import json
import os
import subprocess
import sys
import tempfile
import threading

from bench import stats
from bench.cases import BenchError
from bench.machine import ROOT, pinned

TIMEOUT_S = 600  # of loading, and of one turn. The slowest is B7 in the reference executor: some seconds


def environment(**more):
    """This process's environment without the variables that would change a competitor unnoticed, and with `more`.

    EFFNET_ISA is kept: the report shows the instruction set."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "EFFNET_THREADS", "EFFNET_HOME")}
    return {**kept, "PYTHONWARNINGS": "ignore", **more}


def first_error(text):
    """The error line of effnet's stderr."""
    lines = text.strip().splitlines() or ["nothing on stderr"]
    return next((line for line in lines if "error:" in line), lines[-1])[:300]


class Peer:
    """A process (worker.py) that has loaded one network in one engine and reads commands from stdin.

    Raises BenchError if the network cannot be loaded."""

    def __init__(self, job, cores):
        self.log = tempfile.TemporaryFile("w+")
        threads = str(job["threads"])
        with pinned(cores):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.worker", json.dumps(job)], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=self.log, text=True,
                env=environment(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads))
        try:
            self.info = self._answer()
        except BenchError:
            self.close()
            raise

    def _answer(self):
        timer = threading.Timer(TIMEOUT_S, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        try:
            answer = json.loads(line)
        except ValueError:
            self.log.seek(0)
            raise BenchError(f"the process ended (exit code {self.process.wait()}): "
                             f"{self.log.read()[-200:].strip()}") from None
        if answer.get("ok") is False:
            raise BenchError(answer["error"])
        return answer

    def _ask(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # _answer() reports the reason
        return self._answer()

    def turn(self, seconds, min_runs):
        answer = self._ask(f"turn {seconds} {min_runs}")
        self.info["peak_rss_bytes"] = answer["peak_rss_bytes"]
        return stats.of_runs(answer["ms"])

    def save_logits(self, path):
        self._ask(f"save {path}")

    def close(self):
        try:
            self.process.stdin.close()  # ends the worker's loop
        except OSError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Effnet:
    """`effnet bench`, a new process in each turn.

    Each new process gets other memory, which changes the time. So that peers have the same chances, they are restarted
    as often (measure.Settings)."""

    def __init__(self, program, home, model, threads, batch, precision, resolution, cores, without=(), isa=""):
        self.program, self.home, self.cores = program, home, cores
        self.arguments = ["bench", model, "--threads", threads, "--batch", batch, "--precision", precision,
                          "--resolution", resolution, "--json", "--quiet"]
        if without:
            self.arguments += ["--without", ",".join(without)]
        if isa:
            self.arguments += ["--isa", isa]
        self.info = {}
        self.last_ms = 0.0

    def run(self, *arguments):
        """Runs one command and returns its JSON document. Raises BenchError with effnet's message if it fails."""
        command = [self.program, *map(str, arguments)]
        with pinned(self.cores):
            process = subprocess.Popen(command, env=environment(EFFNET_HOME=self.home), cwd=ROOT, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise BenchError(f"{' '.join(command)} took longer than {TIMEOUT_S} s") from None
        if process.returncode:
            raise BenchError(f"{' '.join(command)} ended with exit code {process.returncode}: {first_error(errors)}")
        try:
            return json.loads(output)
        except ValueError:
            raise BenchError(f"{' '.join(command)} printed no JSON (got {output[:80]!r})") from None

    def macs(self):
        """MACs of one image, as effnet counts them."""
        model, resolution = self.arguments[1], self.arguments[self.arguments.index("--resolution") + 1]
        return self.run("inspect", model, "--resolution", resolution, "--json")["macs"]

    def turn(self, seconds, min_runs, check=False):
        """One turn. check: also compares the logits of the measured session with the reference executor's and sets
        info["max_rel_error"]. info["peak_rss_bytes"] is set by turns without check only, because the reference executor
        needs memory too."""
        seconds = max(seconds, (min_runs - 0.5) * self.last_ms / 1e3)
        document = self.run(*self.arguments, "--seconds", f"{seconds:.3f}", *(["--check"] if check else []))
        try:
            latency = document["latency_ms"]
            turn = {"min_ms": float(latency["min"]), "median_ms": float(latency["median"]),
                    "runs": int(document["runs"])}
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(f"effnet bench's JSON lacks a field (got {document}, expected {error})") from None
        self.last_ms = turn["median_ms"]
        fields = ["isa", "workspace_bytes", "weights_bytes", "plan_ms"]
        fields += ["max_rel_error"] if check else ["peak_rss_bytes"]
        self.info.update({key: document[key] for key in fields if key in document})
        return turn

    def close(self):
        """Does nothing: no process runs between turns."""
