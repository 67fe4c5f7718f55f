"""Compares the training speed of EfficientNet-B0 in effnet, LibTorch and PyTorch: python3 -m bench.train [--help].

In each round each competitor gets one turn: a process of its own, pinned to the cores. The first one of a round
rotates. The speed of a competitor is that of its fastest step in all rounds. Standard library only. """

import argparse
import datetime
import json
import os
import subprocess
import sys

from bench import machine

BUILD = os.path.join(machine.ROOT, "build", "bench")
# Makes glibc's allocator keep freed memory: LibTorch is then faster, because it has fewer page faults.
KEEPS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"}
EFFNET, PLAIN = "effnet", "LibTorch eager"
GFLOP_AN_IMAGE = 2.32  # B0 at 224: three forward passes of 0.386 G multiply-adds


def competitors(args):
    """{name: (first words of the command, mode, environment)}. Prints a line if PyTorch is not installed."""
    result = {EFFNET: ([args.program, "efficientnet_b0"], "fused", {}),
              PLAIN: ([args.program, "efficientnet_b0"], "plain", {}),
              PLAIN + ", memory kept": ([args.program, "efficientnet_b0"], "plain", KEEPS)}
    probe = [args.torch, "-c", "import torch"]
    if not os.path.exists(args.torch) or subprocess.run(probe, capture_output=True).returncode != 0:
        print(f"bench: PyTorch 2 is not installed at {args.torch}; run bench/train/setup", flush=True)
        return result
    peer = [args.torch, os.path.join(machine.ROOT, "bench", "train", "peer.py")]
    # A cache of its own: an interrupted run leaves an incomplete library in the default cache, and all later runs fail.
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
    document = {"cpu": machine.cpu(), "date": datetime.date.today().isoformat(), "commit": machine.commit(),
                "resolution": args.resolution, "batch": args.batch, "cases": {}}
    for threads in args.threads:
        if threads > len(cores):
            print(f"bench: {threads} threads are not measured (got {len(cores)} cores)", flush=True)
            continue
        load, turns, names, peaks = machine.OtherLoad(), {name: [] for name in everyone}, list(everyone), []
        for start in range(args.rounds):
            peaks.append(peak.measure(cores[:threads])["fp32"])
            for name in names[start % len(names):] + names[:start % len(names)]:
                turns[name].append(turn(*everyone[name], args, threads, cores))
                print(f"{threads} threads, round {start + 1}: {name}: {describe(turns[name][-1], args.batch)}",
                      flush=True)
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
    return {"best": batch / min(t["best_ms"] for t in good) * 1e3,
            "median": batch / median(t["median_ms"] for t in good) * 1e3,
            "memory_mb": max(t["memory_mb"] for t in good), "version": good[0].get("version", "")}


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def page(document):
    cpu, batch = document["cpu"], document["batch"]
    lines = ["# Training speed", "", "Written by `make bench-train`. Do not edit.", "", "| | |", "| --- | --- |",
             f"| date | {document['date']} |", f"| machine | {cpu['name']}, family {cpu['family']} |",
             f"| commit | {document['commit']} |", "| command | `make bench-train` |",
             f"| measured | EfficientNet-B0 at {document['resolution']} px, batch {batch}, fp32, channels-last: "
             "forward and backward passes, without optimiser |", "",
             "All competitors take turns in one run. *Memory kept*: the environment makes glibc keep freed memory "
             "(MALLOC_MMAP_MAX_=0 and similar). In effnet the threads of OpenMP sleep while they wait, as in "
             "effnet-train (effnet/base/openmp.h). In the others they spin, which is the default. effnet's method: "
             "[training-kernels.md](../training-kernels.md)."]
    for threads, case in document["cases"].items():
        rows = {name: summary(turns, batch) for name, turns in case["turns"].items()}
        peers = {name: row for name, row in rows.items() if row and name != EFFNET}
        lines += ["", f"## {threads} core{'s' if int(threads) > 1 else ''}", "",
                  "| competitor | images/s, fastest step | images/s, median | share of peak | peak memory, MB |",
                  "| --- | ---: | ---: | ---: | ---: |"]
        for name, row in rows.items():
            if row is None:
                lines.append(f"| {name} | failed: {case['turns'][name][-1]['error']} | | | |")
                continue
            share = row["best"] * GFLOP_AN_IMAGE / case["peak_gflops"] * (document["resolution"] / 224) ** 2
            lines.append(f"| {name} {row['version']}".rstrip() + f" | {row['best']:.1f} | {row['median']:.1f} | "
                         f"{share:.0%} | {row['memory_mb']} |")
        if rows[EFFNET] and peers:
            best = max(peers, key=lambda name: peers[name]["best"])
            ratio = rows[EFFNET]["best"] / peers[best]["best"]
            median_ratio = rows[EFFNET]["median"] / max(row["median"] for row in peers.values())
            lines += ["", f"effnet's fastest step is {ratio:.2f} times as fast as that of the fastest other competitor "
                      f"({best}). The ratio of the medians is {median_ratio:.2f}."]
        if case["least_peak_gflops"] < 0.8 * case["peak_gflops"]:
            lines += ["", f"The peak rate, measured before and after each round, was between "
                      f"{case['least_peak_gflops']:.0f} and {case['peak_gflops']:.0f} GFLOP/s, so the virtual machine "
                      "did not always have its full speed."]
        if case["other_load"] > 0.05:
            lines += ["", f"**The machine was not idle.** Other processes used {case['other_load']:.0%} of it; measure "
                      "again."]
    lines += ["", "Other pages: CIFAR-10 in [cifar10.md](cifar10.md), GPUs in [gpu.md](gpu.md). ImageNet was not "
              "measured."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="bench.train", description=__doc__)
    parser.add_argument("--program", default=os.path.join(machine.ROOT, "build", "release", "bin", "training_bench"))
    torch = os.environ.get("BENCH_TORCH", os.path.join(machine.ROOT, "build", "torch-venv", "bin", "python"))
    parser.add_argument("--torch", default=torch)
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
        sys.exit(f"bench: {args.program} does not exist; build the target training_bench")
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
