#!/usr/bin/env python3
"""Makes the .pth files of this folder. Run with Debian's Python and torch 1.13: /usr/bin/python3 make_fixtures.py

The values are formulas, which effnet/formats/pth_test.cc computes too. make_safetensors.py makes the other files.
"""
import argparse
import collections
import os
import pathlib
import pickle
import zipfile

import torch

HERE = pathlib.Path(__file__).parent


def state():
    grid = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    entries = [
        ("f32", grid / 8),
        ("permuted", grid.permute(2, 0, 1)),  # 4x2x3, element (i, j, k) = 12 j + 4 k + i
        ("window", torch.arange(10, dtype=torch.float32)[3:7]),
        ("column", torch.arange(12, dtype=torch.int32).reshape(3, 4)[:, 1]),
        ("f64", torch.tensor([0.1, -1e300], dtype=torch.float64)),
        ("f16", torch.tensor([0.0, -1.5, 65504.0, 2.0**-24, float("inf")], dtype=torch.float16)),
        ("bf16", torch.tensor([1.0, -2.5, 2.0**127], dtype=torch.bfloat16)),
        ("i64", torch.tensor(7)),
        ("i32", torch.tensor([-(2**31), 5], dtype=torch.int32)),
        ("i16", torch.tensor([[-300], [300]], dtype=torch.int16)),
        ("i8", torch.tensor([-128, 127, 3], dtype=torch.int8)),
        ("u8", torch.tensor([255], dtype=torch.uint8)),
        ("bool", torch.tensor([True, False])),
        ("empty", torch.zeros(0, 3)),
        ("parameter", torch.nn.Parameter(torch.arange(3, dtype=torch.float32))),
    ]
    tied = torch.arange(4, dtype=torch.float32)
    return collections.OrderedDict(entries + [("tied.a", tied), ("tied.b", tied)])


def checkpoint():
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    ordered = collections.OrderedDict([("module.fc.weight", weight), ("module.fc.steps", torch.tensor(9))])
    ordered._metadata = collections.OrderedDict(version=1)  # as in a state_dict(); pickled with BUILD
    return {
        "epoch": 3,
        "arch": "effnet",
        "best": torch.tensor(0.5),
        "lr": [0.1, 1e-3, None, True, 2**40, 2**80, -5],
        "state_dict": ordered,
        "optimizer": {"state": {0: {"step": 4, "exp_avg": weight * 2}}, "param_groups": [{"params": [0], "betas": (0.9, 0.99)}]},
        "args": argparse.Namespace(model="b0"),
    }


class Evil:
    def __reduce__(self):
        return os.system, ("echo this pickle was run",)


def main():
    torch.save(state(), HERE / "state.pth")
    torch.save(state(), HERE / "state_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint(), HERE / "checkpoint.pth", pickle_protocol=4)
    torch.save(checkpoint(), HERE / "checkpoint_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.zeros(2), "x": Evil()}, HERE / "evil.pth")
    torch.save({"w": torch.zeros(2), "x": Evil()}, HERE / "evil_legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(HERE / "script.pth"))

    with zipfile.ZipFile(HERE / "state.pth") as source:
        with zipfile.ZipFile(HERE / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as target:
            for entry in source.namelist():
                target.writestr(zipfile.ZipInfo(entry), source.read(entry), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(HERE / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as target:  # 4 MB of zeros in 4 kB
        target.writestr(zipfile.ZipInfo("a/data.pkl"), pickle.dumps({}, 2), zipfile.ZIP_DEFLATED)
        target.writestr(zipfile.ZipInfo("a/data/0"), bytes(4_000_000), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(HERE / "bzip2.pth", "w", zipfile.ZIP_BZIP2) as target:
        target.writestr(zipfile.ZipInfo("a/data.pkl"), pickle.dumps({}, 2), zipfile.ZIP_BZIP2)


if __name__ == "__main__":
    main()
