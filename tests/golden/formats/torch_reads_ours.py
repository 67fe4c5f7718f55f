#!/usr/bin/env python3
"""Checks that torch.load reads a file of write_pth. Run with Debian's Python: /usr/bin/python3 torch_reads_ours.py

write_pth wrote ours.pth from the tensors of state.pth in descending order of their names; pth_test.cc compares the
bytes. """
import pathlib
import zipfile

import torch

HERE = pathlib.Path(__file__).parent


def main():
    expected = torch.load(HERE / "state.pth")
    for weights_only in (False, True):
        ours = torch.load(HERE / "ours.pth", weights_only=weights_only)
        assert list(ours) == sorted(expected, reverse=True)
        for key, tensor in expected.items():
            assert ours[key].dtype == tensor.dtype and ours[key].shape == tensor.shape, key
            assert torch.equal(ours[key], tensor), key
    with zipfile.ZipFile(HERE / "ours.pth") as archive:
        assert archive.testzip() is None
    print(f"torch {torch.__version__} reads all {len(expected)} tensors")


if __name__ == "__main__":
    main()
