"""A peer's process. Loads one network in one engine, then reads commands from stdin; each answer is one line of JSON.

    python -m bench.worker '{"engine": "ort", "path": "b0.onnx", "threads": 1, "precision": "fp32",
                             "batch": 1, "resolution": 224}'

    turn SECONDS MIN_RUNS    -> {"ms": [..], "peak_rss_bytes": ..}: runs for SECONDS, at least MIN_RUNS times. A first
                                run is not measured; it brings code and weights back into the caches
    save FILE                -> {"ok": true}: writes the logits of one run as .npy
    quit
"""

import gc
import json
import os
import sys
import time

import numpy as np

from bench import engines, networks


def peak_rss_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def turn(run, seconds, min_runs):
    run()
    ms, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(ms) < min_runs:
        start = time.perf_counter()
        run()
        ms.append((time.perf_counter() - start) * 1e3)
    return ms


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # engines print to stdout, which would mix with the answers

    def say(**answer):
        answers.write(json.dumps(answer) + "\n")

    job = json.loads(sys.argv[1])
    try:
        x = np.ascontiguousarray(networks.sample_input(job["batch"], job["resolution"]))
        start = time.perf_counter()
        run = engines.ENGINES[job["engine"]].load(job["path"], job["threads"], job["precision"], x)
        loaded = time.perf_counter()
        run()
        say(ok=True, load_ms=(loaded - start) * 1e3, first_run_ms=(time.perf_counter() - loaded) * 1e3)
    except Exception as error:  # an engine may raise any exception; it is the answer
        say(ok=False, error=f"{type(error).__name__}: {error}"[:300])
        return
    gc.collect()
    gc.disable()
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "turn":
            say(ms=turn(run, float(arguments[0]), int(arguments[1])), peak_rss_bytes=peak_rss_bytes())
        elif command == "save":
            np.save(arguments[0], np.array(run(), np.float32))
            say(ok=True)
        else:
            break
    answers.flush()
    os._exit(0)  # some engines hang or crash on exit


if __name__ == "__main__":
    main()
