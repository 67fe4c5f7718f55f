"""The machine: CPU, cores to pin to, peak rate, load by other processes; versions and commit."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import time

from bench.cases import BenchError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile")


def cpu():
    """{"name", "vendor", "family", "model", "isa": [..], "cpus"} of the first processor in /proc/cpuinfo."""
    entries = {}
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            entries.setdefault(key.strip(), value.strip())
    flags = set(entries.get("flags", "").split())
    return {"name": entries.get("model name", platform.processor()), "vendor": entries.get("vendor_id", ""),
            "family": int(entries.get("cpu family", 0)), "model": int(entries.get("model", 0)),
            "isa": [i for i in INSTRUCTION_SETS if i in flags], "cpus": os.cpu_count()}


def generation(cpu):
    """"zen3", "zen4", "zen5", or "" for another CPU. Family 25 is both Zen 3 and Zen 4; only Zen 4 has AVX-512."""
    if cpu["vendor"] != "AuthenticAMD":
        return ""
    wide = "avx512f" in cpu["isa"]
    return {(25, False): "zen3", (25, True): "zen4", (26, True): "zen5"}.get((cpu["family"], wide), "")


def cores():
    """The processors that this process may use: first one of each physical core, then the others."""
    allowed, first, second, seen = sorted(os.sched_getaffinity(0)), [], [], set()
    for n in allowed:
        try:
            with open(f"/sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list") as file:
                core = file.read().strip()
        except OSError:
            core = str(n)
        (second if core in seen else first).append(n)
        seen.add(core)
    return first + second


@contextlib.contextmanager
def pinned(cores):
    """Pins this process, and the processes started in the block, to these cores, as `taskset -c` does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Peak:
    """Measures the peak rate of cores with peak.cc, which it compiles."""

    def __init__(self, folder):
        source, self.program = os.path.join(HERE, "peak.cc"), os.path.join(folder, "peak")
        if os.path.exists(self.program) and os.path.getmtime(self.program) >= os.path.getmtime(source):
            return
        compiler = next((c for c in (os.environ.get("CXX"), "g++", "clang++", "c++") if c and shutil.which(c)), None)
        if not compiler:
            raise BenchError("no C++ compiler for bench/peak.cc (got none of $CXX, g++, clang++, c++; expected one)")
        subprocess.run([compiler, "-O2", "-pthread", "-o", self.program, source], check=True)

    def measure(self, cores):
        """{"fp32", "bf16", "int8"}: the rates of these cores together in 1e9 operations per second; "apart_ns": the
        time of a cache line from the first core to the second, 0 for one core. Takes about 0.1 s."""
        with pinned(cores):
            run = subprocess.run([self.program, str(len(cores)), "0.03"], capture_output=True, text=True, check=True)
        rates = json.loads(run.stdout)
        return {key: rates[key] for key in ("fp32", "bf16", "int8", "apart_ns")}


class OtherLoad:
    """The share of all processors, 0 to 1, that other programs (or other guests of the host) used between construction
    and share(). The time of a child process counts as ours only after the child was waited for."""

    def __init__(self):
        self.before = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.monotonic(), busy, sum(r.ru_utime + r.ru_stime for r in ours)

    def share(self):
        elapsed, busy, ours = (after - before for after, before in zip(self._read(), self.before))
        return round(max(0.0, busy - ours) / (elapsed * os.cpu_count()), 3)


def package_version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit():
    """The short hash of the commit, with "+" if tracked files differ from it. Files in docs/results do not count,
    because the benchmark writes them."""
    def git(*arguments):
        run = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
        return run.stdout.strip() if run.returncode == 0 else ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/results")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def provenance(effnet):
    """Date, commit, program and machine, stored with each measurement. effnet is the path of the program."""
    with open(effnet, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:16]
    version = subprocess.run([effnet, "--version"], capture_output=True, text=True).stdout.strip()
    return {"date": time.strftime("%Y-%m-%d"), "commit": commit(), "effnet": version, "effnet_sha256": digest,
            "cpu": cpu(), "os": f"{platform.system()} {platform.release()}", "python": platform.python_version()}
