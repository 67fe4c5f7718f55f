"""Taking turns: every figure of the report is measured here.

A drift of the machine must hit all competitors alike, so each gets short turns, round robin, from a start that rotates; the
peak rate is measured before every turn. Memory placement alone moves a figure by some percent, so the whole set is started
afresh several times.
"""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass

import numpy as np

from bench import machine, networks, stats
from bench.cases import BenchError
from bench.competitors import Effnet, Peer, environment, first_error
from bench.engines import ENGINES, REFERENCE
from bench.model_files import ModelFiles

PAUSE_S = 0.02  # lets the last competitor's threads fall asleep


@dataclass(frozen=True)
class Settings:
    """One turn a start gives effnet, whose process is fresh each turn, as many draws of memory as its peers have."""
    starts: int = 6  # how often everybody is started afresh
    turns: int = 1  # of each competitor in one start
    slice_s: float = 0.4  # a turn's length at least
    min_runs: int = 2  # a turn's runs at least


class Bench:
    """What all measurements share. folder: for model files, effnet's home and the peak program."""

    def __init__(self, effnet, folder, cores, settings):
        self.effnet, self.cores, self.settings = os.path.abspath(effnet), cores, settings
        if not os.access(self.effnet, os.X_OK):
            raise BenchError(f"no such program (got {effnet}, expected a built effnet; `make core`)")
        self.home = os.path.join(os.path.abspath(folder), "home")
        os.makedirs(self.home, exist_ok=True)
        self.files = ModelFiles(os.path.join(os.path.abspath(folder), "models"))
        self.peak = machine.Peak(os.path.abspath(folder))
        self.provenance = machine.provenance(self.effnet)

    def first_cores(self, threads):
        if threads > len(self.cores):
            raise BenchError(f"too few cores (got {len(self.cores)}, expected {threads} or more)")
        return self.cores[:threads]

    def competitor(self, model, threads=1, batch=1, precision="fp32", resolution=None, without=(), isa=""):
        return Effnet(self.effnet, self.home, model, threads, batch, precision,
                      resolution or networks.native_resolution(model), self.first_cores(threads), without, isa)

    # ---- a case of the table

    def case(self, case, peers):
        """Its result for the results file. peers: names of ENGINES; one that cannot run is in "skipped" with the reason."""
        started, load = time.time(), machine.OtherLoad()
        cores = self.first_cores(case.threads)
        ours = self.competitor(case.model, case.threads, case.batch, case.precision, case.resolution)
        jobs, macs, skipped = self._jobs(case, peers)
        competitors = {"effnet": {"model": case.model, "macs": ours.macs() * case.batch, "turns": []}}
        if jobs and case.model == case.peers_model and competitors["effnet"]["macs"] != macs:
            raise BenchError(f"{case.model} is not the peers' network (got {competitors['effnet']['macs']} MACs in effnet, "
                             f"expected {macs})")
        competitors.update({name: {"model": case.peers_model, "macs": macs, "turns": []} for name in jobs})
        peaks, apart, turn_number = [], [], 0
        for start in range(self.settings.starts):
            live = self._start(jobs, cores, skipped, competitors)
            try:
                if start == 0:
                    self._compare(live, competitors, skipped)
                live["effnet"] = ours
                for turn in range(self.settings.turns):
                    last = start == self.settings.starts - 1 and turn == self.settings.turns - 1
                    for name in _rotated(list(live), turn_number):
                        reading = self.peak.measure(cores)
                        peaks.append(reading[case.precision])
                        apart.append(reading["apart_ns"])
                        time.sleep(PAUSE_S)
                        self._turn(name, live, competitors, skipped, last)
                    turn_number += 1
            finally:
                for competitor in live.values():
                    competitor.close()
        competitors["effnet"]["info"] = ours.info
        return {"case": case.id, "threads": case.threads, "batch": case.batch, "precision": case.precision,
                "resolution": case.resolution or networks.native_resolution(case.model), "cores": cores,
                "peak_gflops": {"highest": max(peaks), "lowest": min(peaks)},
                "apart_ns": {"highest": max(apart), "lowest": min(apart)}, "other_load": load.share(),
                "competitors": competitors, "skipped": skipped, "seconds": round(time.time() - started, 1),
                "settings": vars(self.settings),
                "versions": {name: machine.package_version(ENGINES[name].package) for name in peers},
                "provenance": self.provenance}

    def _jobs(self, case, peers):
        """({peer: what its worker shall do}, MACs of the batch, {peer: why it is left out})."""
        skipped = {}
        for name in peers:
            if not machine.package_version(ENGINES[name].package):
                skipped[name] = "not installed"
            elif case.precision not in ENGINES[name].precisions:
                skipped[name] = f"no {case.precision} here"
        able = [name for name in peers if name not in skipped]
        resolution = case.resolution or networks.native_resolution(case.peers_model)
        if not able:
            return {}, 0, skipped
        paths, macs = self.files.prepare(case.peers_model, resolution, case.batch,
                                         sorted({ENGINES[name].format for name in able}))
        jobs = {}
        for name in able:
            path = paths[ENGINES[name].format]
            if isinstance(path, Exception):
                skipped[name] = f"no model file: {path}"
            else:
                jobs[name] = {"engine": name, "path": path, "threads": case.threads, "precision": case.precision,
                              "batch": case.batch, "resolution": resolution}
        return jobs, macs * case.batch, skipped

    def _start(self, jobs, cores, skipped, competitors):
        live = {}
        for name, job in jobs.items():
            if name in skipped:
                continue
            try:
                live[name] = Peer(job, cores)
                competitors[name]["info"] = live[name].info
            except BenchError as error:
                skipped[name] = str(error)
        return live

    @staticmethod
    def _compare(live, competitors, skipped):
        """Every peer's logits against the reference's: the same input, the same weights."""
        logits = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, peer in live.items():
                path = os.path.join(folder, name + ".npy")
                try:
                    peer.save_logits(path)
                    logits[name] = np.load(path).astype(np.float64)
                except BenchError as error:
                    skipped[name] = str(error)
        reference = logits.get(REFERENCE)
        for name, value in logits.items() if reference is not None else ():
            if value.size != reference.size:
                skipped[name] = f"answers with {value.size} logits, {ENGINES[REFERENCE].title} with {reference.size}"
                continue
            difference = np.abs(value.reshape(reference.shape) - reference).max()
            competitors[name]["check"] = {"max_rel": float(difference / np.abs(reference).max())}

    def _turn(self, name, live, competitors, skipped, last):
        if name in skipped:  # died in an earlier turn
            return
        check = {"check": True} if name == "effnet" and last else {}
        try:
            competitors[name]["turns"].append(live[name].turn(self.settings.slice_s, self.settings.min_runs, **check))
        except BenchError as error:
            if name == "effnet":
                raise
            skipped[name] = str(error)

    # ---- effnet alone

    def ablation(self, model, switches, threads=1, batch=1, rounds=6):
        """effnet with switches of its plan off, one by one, interleaved with the whole plan.

        switches: names that `effnet bench --without` knows, or several joined by commas to turn them off together.
        Returns {"threads", "batch", "macs", "peak_gflops", "variants": {"": {"turns", "info"}, SWITCH: ..}}."""
        return self._variants({name: self.competitor(model, threads, batch, without=tuple(filter(None, name.split(","))))
                               for name in ["", *switches]}, threads, batch, rounds)

    def sets(self, model, sets, threads=1, batch=1, rounds=6):
        """effnet with each instruction set of `sets`, interleaved. Returns what ablation() does, the variants by set."""
        return self._variants({isa: self.competitor(model, threads, batch, isa=isa) for isa in sets}, threads, batch, rounds)

    def _variants(self, variants, threads, batch, rounds):
        turns, peaks = {name: [] for name in variants}, []
        for number in range(rounds):
            for name in _rotated(list(variants), number):
                peaks.append(self.peak.measure(self.first_cores(threads))["fp32"])
                time.sleep(PAUSE_S)
                turns[name].append(variants[name].turn(self.settings.slice_s, self.settings.min_runs))
        return {"threads": threads, "batch": batch, "macs": next(iter(variants.values())).macs() * batch,
                "peak_gflops": {"highest": max(peaks), "lowest": min(peaks)},
                "variants": {name: {"turns": turns[name], "info": v.info} for name, v in variants.items()},
                "provenance": self.provenance}

    def start_up(self, rows, rounds=10):
        """Fresh processes from start to exit, on all cores; the commands of cases.toml take turns. The first round, which
        fills the page cache and effnet's own, does not count."""
        ms = {row["title"]: [] for row in rows}
        for arguments in [command for row in rows for command in row.get("prepare", [])]:
            self._timed(arguments)
        for number in range(rounds + 1):
            for row in rows:
                took = self._timed(row["arguments"])
                if number:
                    ms[row["title"]].append(took)
        return {"ms": {title: stats.of_runs(values) for title, values in ms.items()}, "provenance": self.provenance}

    def _timed(self, arguments):
        """Milliseconds of one effnet command. Throws BenchError if it fails."""
        command = [self.effnet, *(a.format(home=self.home) for a in arguments)]
        start = time.perf_counter()
        run = subprocess.run(command, cwd=machine.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             env=environment(EFFNET_HOME=self.home))
        took = (time.perf_counter() - start) * 1e3
        if run.returncode:
            raise BenchError(f"{' '.join(command)} ended with {run.returncode}: {first_error(run.stderr)}")
        return took

    def memory(self, rows):
        """What `effnet bench` reports on one core, without a check: the reference executor has memory of its own. The
        second of two runs, which finds the packed weights in the cache."""
        models = {}
        for row in rows:
            ours = self.competitor(row["model"])
            for _ in range(2):
                ours.turn(0.05, 1)
            models[row["model"]] = ours.info
        return {"models": models, "provenance": self.provenance}


def _rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]
