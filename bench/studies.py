"""What the studies of bench/scaling and bench/search share: lists of images, trainings that can be stopped and
repeated, several at a time, and a CSV of results."""

import concurrent.futures
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

STOPPED = "study: stopped; the same command continues"
running = set()  # the processes of run()


def stop_all():
    """Sends Ctrl-C to all processes of run(); effnet then stores its state."""
    for process in list(running):
        process.send_signal(signal.SIGINT)


def run(command, deadline=None):
    """Returns stdout. Stops the command at the deadline. Exits with effnet's exit code."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    running.add(process)
    try:
        output, _ = process.communicate(timeout=None if deadline is None else max(1, deadline - time.time()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.send_signal(signal.SIGINT)
        process.communicate()
        sys.exit(STOPPED)
    finally:
        running.discard(process)
    if process.returncode != 0:
        sys.exit(STOPPED if process.returncode == 130 else process.returncode)
    return output


def run_all(jobs, workers):
    """Calls the functions `jobs` in `workers` threads, in this order. If one of them exits, the others are stopped, and
    this function exits."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException as error:
            for future in futures:
                future.cancel()
            stop_all()
            if isinstance(error, KeyboardInterrupt):
                sys.exit(STOPPED)
            raise


def image_list(data, file, train, val=0, test=True):
    """Writes a list of images (lines file,class,split), unless it exists: of each class of data/train the first `train`
    images for training and the next `val` ones for validation, in the order of a hash of their names, and with `test` all
    images of data/test."""
    if os.path.exists(file):
        return
    with open(file + ".tmp", "w", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["file", "class", "split"])
        for split in ("train", "test") if test else ("train",):
            for name in sorted(os.listdir(os.path.join(data, split))):
                images = sorted(os.listdir(os.path.join(data, split, name)),
                                key=lambda image: hashlib.sha256(f"{name}/{image}".encode()).digest())
                for i, image in enumerate(images):
                    part = split if split == "test" else "train" if i < train else "val" if i < train + val else None
                    if part:
                        lines.writerow([f"{split}/{name}/{image}", name, part])
    os.replace(file + ".tmp", file)


class Results:
    """A CSV of results that grows by one line at a time. `key`: the fields that name a result."""

    def __init__(self, file, fields, key):
        self.file, self.fields, self.key = file, fields, key
        self.lock = threading.Lock()

    def rows(self):
        if not os.path.exists(self.file):
            return []
        with open(self.file, newline="") as lines:
            return list(csv.DictReader(lines))

    def has(self, **key):
        return any(all(row[name] == str(key[name]) for name in self.key) for row in self.rows())

    def add(self, row):
        with self.lock, open(self.file, "a", newline="") as file:
            new = file.tell() == 0
            writer = csv.DictWriter(file, self.fields, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)


def train(effnet, arch, data, images, folder, recipe, seed, epochs, deadline):
    """Trains a network with one thread and returns its facts: top1, train_top1, seconds, images_per_second, date. A
    stopped training continues. The run folder is removed at the end. Two such trainings at the same time do a third
    more images per second than one with two threads (13 million MACs, 16 px)."""
    summary = json.loads(run([effnet, "train", recipe, "--data", data, "--labels", images, "--out", folder, "--resume",
                              "--quiet", "--json", "--threads", 1, "--set", f"model.name={arch}",
                              "--set", f"seed={seed}", "--set", f"train.epochs={epochs}", "--set", "train.validate_every=1000"], deadline))
    with open(os.path.join(folder, "metrics.csv"), newline="") as file:
        last = list(csv.DictReader(file))[-1]
    shutil.rmtree(folder)
    return {"top1": summary["saved_top1"], "train_top1": last["train_top1"], "seconds": round(summary["seconds"], 1),
            "images_per_second": round(summary["images_per_second"], 1), "date": time.strftime("%Y-%m-%d")}
