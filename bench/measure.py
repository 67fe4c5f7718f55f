"""Measures all figures of the report.

The speed of a machine drifts. So that the drift affects all competitors equally, they take short turns, and the first
one of a round rotates. The peak rate is measured before each turn. The placement of memory alone changes a time by some
percent, so all processes are restarted several times.
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

PAUSE_S = 0.02  # until the threads of the previous competitor sleep


@dataclass(frozen=True)
class Settings:
    """With one turn per start, effnet (a new process in each turn) gets new memory as often as the peers do."""
    starts: int = 6  # restarts of all processes
    turns: int = 1  # of each competitor after a restart
    slice_s: float = 0.4  # minimum length of a turn
    min_runs: int = 2  # minimum number of runs in a turn


class Bench:
    """All measurements. folder: for model files, effnet's home and the peak program."""

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
        """Measures a case and returns its entry in the results file. peers: names of ENGINES. A peer that cannot run is
        in "skipped", with the reason."""
        started, load = time.time(), machine.OtherLoad()
        cores = self.first_cores(case.threads)
        ours = self.competitor(case.model, case.threads, case.batch, case.precision, case.resolution)
        jobs, macs, skipped = self._jobs(case, peers)
        competitors = {"effnet": {"model": case.model, "macs": ours.macs() * case.batch, "turns": []}}
        if jobs and case.model == case.peers_model and competitors["effnet"]["macs"] != macs:
            raise BenchError(f"{case.model} is not the peers' network (got {competitors['effnet']['macs']} MACs in "
                             f"effnet, expected {macs})")
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
        """({peer: job for its worker}, MACs of the batch, {peer: reason why it is skipped})."""
        skipped = {}
        for name in peers:
            if not machine.package_version(ENGINES[name].package):
                skipped[name] = "not installed"
            elif case.precision not in ENGINES[name].precisions:
                skipped[name] = f"{case.precision} is not supported"
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
        """Compares the logits of each peer with those of the reference peer, on the same input and weights."""
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
                skipped[name] = f"gave {value.size} logits, {ENGINES[REFERENCE].title} gave {reference.size}"
                continue
            difference = np.abs(value.reshape(reference.shape) - reference).max()
            competitors[name]["check"] = {"max_rel": float(difference / np.abs(reference).max())}

    def _turn(self, name, live, competitors, skipped, last):
        if name in skipped:  # its process ended in an earlier turn
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
        """effnet with options of its plan off, one by one, in turns with the whole plan.

        switches: names for `effnet bench --without`; names joined by commas are switched off together.
        Returns {"threads", "batch", "macs", "peak_gflops", "variants": {"": {"turns", "info"}, SWITCH: ..}}."""
        variants = {name: self.competitor(model, threads, batch, without=tuple(filter(None, name.split(","))))
                    for name in ["", *switches]}
        return self._variants(variants, threads, batch, rounds)

    def sets(self, model, sets, threads=1, batch=1, rounds=6):
        """effnet with each instruction set of `sets`, in turns. Returns the same as ablation(), with a variant per
        set."""
        variants = {isa: self.competitor(model, threads, batch, isa=isa) for isa in sets}
        return self._variants(variants, threads, batch, rounds)

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
        """Times of new processes from start to exit, on all cores. The commands of cases.toml take turns. The first
        round is not counted: it fills the page cache and effnet's caches."""
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
        """Milliseconds of one effnet command. Raises BenchError if it fails."""
        command = [self.effnet, *(a.format(home=self.home) for a in arguments)]
        start = time.perf_counter()
        run = subprocess.run(command, cwd=machine.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             env=environment(EFFNET_HOME=self.home))
        took = (time.perf_counter() - start) * 1e3
        if run.returncode:
            raise BenchError(f"{' '.join(command)} ended with exit code {run.returncode}: {first_error(run.stderr)}")
        return took

    def memory(self, rows):
        """The memory that `effnet bench` reports on one core, without --check, which needs memory for the reference
        executor. The second of two runs counts, because it reads the packed weights from the cache."""
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
