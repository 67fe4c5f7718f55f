"""Who takes turns: a peer in a process of its own (Peer), and effnet, started afresh for each turn (Effnet).

Both have turn(seconds, min_runs) -> {"min_ms", "median_ms", "runs"} of one whole batch, and close().
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

TIMEOUT_S = 600  # for loading, and for one turn; the slowest is B7 in the reference executor, some seconds


def environment(**more):
    """Ours, without what would change a competitor behind the benchmark's back. EFFNET_ISA stays: it is in the report."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "EFFNET_THREADS", "EFFNET_HOME")}
    return {**kept, "PYTHONWARNINGS": "ignore", **more}


def first_error(text):
    """The line that says what went wrong, of effnet's stderr."""
    lines = text.strip().splitlines() or ["nothing on stderr"]
    return next((line for line in lines if "error:" in line), lines[-1])[:300]


class Peer:
    """One engine with one network loaded, waiting on its stdin (worker.py). Throws BenchError if it does not load."""

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
            raise BenchError(f"died (exit {self.process.wait()}): {self.log.read()[-200:].strip()}") from None
        if answer.get("ok") is False:
            raise BenchError(answer["error"])
        return answer

    def _ask(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
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
    """`effnet bench`. A fresh process a turn draws new memory each time; so that peers are not worse off, they are
    started afresh as often (measure.Settings)."""

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
        """The JSON document of one command. Throws BenchError with its message if it fails."""
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
            raise BenchError(f"{' '.join(command)} ended with {process.returncode}: {first_error(errors)}")
        try:
            return json.loads(output)
        except ValueError:
            raise BenchError(f"{' '.join(command)} printed no JSON (got {output[:80]!r})") from None

    def macs(self):
        """Of one image, by effnet's own count."""
        model, resolution = self.arguments[1], self.arguments[self.arguments.index("--resolution") + 1]
        return self.run("inspect", model, "--resolution", resolution, "--json")["macs"]

    def turn(self, seconds, min_runs, check=False):
        """check: compares the logits of the timed session with the reference executor, into info["max_rel_error"].
        The process's memory is taken from the turns without, since the reference executor has its own."""
        seconds = max(seconds, (min_runs - 0.5) * self.last_ms / 1e3)
        document = self.run(*self.arguments, "--seconds", f"{seconds:.3f}", *(["--check"] if check else []))
        try:
            latency = document["latency_ms"]
            turn = {"min_ms": float(latency["min"]), "median_ms": float(latency["median"]), "runs": int(document["runs"])}
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(f"effnet bench's JSON lacks a field (got {document}, expected {error})") from None
        self.last_ms = turn["median_ms"]
        fields = ["isa", "workspace_bytes", "weights_bytes", "plan_ms"]
        fields += ["max_rel_error"] if check else ["peak_rss_bytes"]
        self.info.update({key: document[key] for key in fields if key in document})
        return turn

    def close(self):
        """Nothing is open between turns."""
