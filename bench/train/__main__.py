"""Training speed of EfficientNet-B0 beside LibTorch and PyTorch: python3 -m bench.train [--help].

Rounds; in each every competitor gets one turn, a process of its own pinned to the cores, and who goes first rotates. A
competitor's figure is its best step over all rounds; verdicts compare with the best competitor. Standard library only.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys

from bench import machine

BUILD = os.path.join(machine.ROOT, "build", "bench")
# An allocator that keeps its memory: page faults cost LibTorch that much.
KEEPS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"}
MUST, GOALS = 1.8, {1: 3.5, 2: 4.0}
EFFNET, PLAIN = "effnet", "LibTorch eager"
GFLOP_AN_IMAGE = 2.32  # B0 at 224: three forward passes of 0.386 G multiply-adds


def competitors(args):
    """{name: (command without its last words, environment)}; a peer that is not there is named and left out."""
    result = {EFFNET: ([args.program, "efficientnet_b0"], "fused", {}), PLAIN: ([args.program, "efficientnet_b0"], "plain", {}),
              PLAIN + ", memory kept": ([args.program, "efficientnet_b0"], "plain", KEEPS)}
    probe = [args.torch, "-c", "import torch"]
    if not os.path.exists(args.torch) or subprocess.run(probe, capture_output=True).returncode != 0:
        print(f"bench: no PyTorch 2 at {args.torch}; bench/train/setup makes it", flush=True)
        return result
    peer = [args.torch, os.path.join(machine.ROOT, "bench", "train", "peer.py")]
    # Its own cache: a run that was cut off leaves half a library in the common one, which then fails for ever.
    cache = {"TORCHINDUCTOR_CACHE_DIR": os.path.join(BUILD, "inductor")}
    for mode in args.peers:
        result[f"PyTorch {mode}"] = (peer, mode, cache)
        result[f"PyTorch {mode}, memory kept"] = (peer, mode, {**cache, **KEEPS})
    return result


def turn(command, mode, extra, args, threads, cores):
    environment = {**os.environ, **extra, "OMP_NUM_THREADS": str(threads)}
    words = [*command, str(args.resolution), str(args.batch), str(threads), str(args.seconds), mode]
    with machine.pinned(cores[:threads]):
        run = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=1200)
    if run.returncode != 0:
        return {"error": (run.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(run.stdout.strip().splitlines()[-1])


def measure(args):
    cores, everyone, peak = machine.cores(), competitors(args), machine.Peak(BUILD)
    document = {"cpu": machine.cpu(), "date": datetime.date.today().isoformat(), "commit": machine.commit(), "resolution": args.resolution, "batch": args.batch,
                "cases": {}}
    for threads in args.threads:
        if threads > len(cores):
            print(f"bench: {threads} threads left out (got {len(cores)} cores)", flush=True)
            continue
        load, turns, names, peaks = machine.OtherLoad(), {name: [] for name in everyone}, list(everyone), []
        for start in range(args.rounds):
            peaks.append(peak.measure(cores[:threads])["fp32"])
            for name in names[start % len(names):] + names[:start % len(names)]:
                turns[name].append(turn(*everyone[name], args, threads, cores))
                print(f"{threads} threads, round {start + 1}: {name}: {describe(turns[name][-1], args.batch)}", flush=True)
        peaks.append(peak.measure(cores[:threads])["fp32"])
        document["cases"][threads] = {"turns": turns, "other_load": load.share(), "peak_gflops": max(peaks),
                                      "least_peak_gflops": min(peaks)}
    return document


def describe(result, batch):
    return result.get("error") or f"{batch / result['best_ms'] * 1e3:.1f} images/s, {result['memory_mb']} MB"


def summary(turns, batch):
    good = [t for t in turns if "error" not in t]
    if not good:
        return None
    return {"best": batch / min(t["best_ms"] for t in good) * 1e3, "median": batch / median(t["median_ms"] for t in good) * 1e3,
            "memory_mb": max(t["memory_mb"] for t in good), "version": good[0].get("version", "")}


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def page(document):
    cpu, batch = document["cpu"], document["batch"]
    lines = ["# Training speed", "",
             f"EfficientNet-B0 at {document['resolution']}, batch {batch}, fp32, forward and backward without an optimiser, channels-last, "
             f"every competitor in turn in one run. {cpu['name']}, family {cpu['family']}, {document['date']}, commit {document['commit']}. "
             "Written by `make bench-train`; how it works: [training-kernels.md](../training-kernels.md).", "",
             "*Memory kept*: glibc told to keep its memory (MALLOC_MMAP_MAX_=0 and its like). effnet lets OpenMP's threads sleep, as "
             "effnet-train does (base/openmp.h); the others' spin, as is the default."]
    for threads, case in document["cases"].items():
        rows = {name: summary(turns, batch) for name, turns in case["turns"].items()}
        peers = {name: row for name, row in rows.items() if row and name != EFFNET}
        lines += ["", f"## {threads} core{'s' if int(threads) > 1 else ''}", "",
                  "| who | images/s, best step | median | share of the peak | peak memory, MB |", "| --- | ---: | ---: | ---: | ---: |"]
        for name, row in rows.items():
            if row is None:
                lines.append(f"| {name} | failed: {case['turns'][name][-1]['error']} | | | |")
                continue
            share = row["best"] * GFLOP_AN_IMAGE / case["peak_gflops"] * (document["resolution"] / 224) ** 2
            lines.append(f"| {name} {row['version']} | {row['best']:.1f} | {row['median']:.1f} | {share:.0%} | {row['memory_mb']} |")
        if rows[EFFNET] and peers:
            best = max(peers, key=lambda name: peers[name]["best"])
            ratio, goal = rows[EFFNET]["best"] / peers[best]["best"], GOALS.get(int(threads))
            verdict = "goal" if goal and ratio >= goal else "must" if ratio >= MUST else "missed"
            lines += ["", f"{ratio:.2f} times the best of the others ({best}; must {MUST}, goal {goal}): **{verdict}**. Medians: "
                      f"{rows[EFFNET]['median'] / max(row['median'] for row in peers.values()):.2f}."]
            if goal:
                share = goal * peers[best]["best"] * GFLOP_AN_IMAGE / case["peak_gflops"] * (document["resolution"] / 224) ** 2
                lines[-1] += f" The goal would be {share:.0%} of the peak."
        if case["least_peak_gflops"] < 0.8 * case["peak_gflops"]:
            lines += ["", f"The peak, measured around the rounds, was between {case['least_peak_gflops']:.0f} and "
                      f"{case['peak_gflops']:.0f} GFLOP/s: the host had less for this guest at times."]
        if case["other_load"] > 0.05:
            lines += ["", f"Others used {case['other_load']:.0%} of the machine meanwhile: measure again on an idle one."]
    lines += ["", "CIFAR-10: [cifar10.md](cifar10.md). ImageNet: not measured. GPUs: [gpu.md](gpu.md)."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="bench.train", description=__doc__)
    parser.add_argument("--program", default=os.path.join(machine.ROOT, "build", "release", "bin", "training_bench"))
    parser.add_argument("--torch", default=os.environ.get("BENCH_TORCH", os.path.join(machine.ROOT, "build", "torch-venv",
                                                                                     "bin", "python")))
    parser.add_argument("--peers", nargs="*", default=["eager", "compiled"], choices=["eager", "compiled"])
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--figures", default=os.path.join(BUILD, "training.json"))
    parser.add_argument("--page", default=os.path.join(machine.ROOT, "docs", "results", "training.md"))
    args = parser.parse_args()
    if not os.path.exists(args.program):
        sys.exit(f"bench: no {args.program}; build the target training_bench")
    os.makedirs(BUILD, exist_ok=True)
    document = measure(args)
    for path, text in ((args.figures, json.dumps(document, indent=1) + "\n"), (args.page, page(document))):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path + ".tmp", "w") as file:
            file.write(text)
        os.replace(path + ".tmp", path)
        print(f"bench: {path}", flush=True)


if __name__ == "__main__":
    main()
