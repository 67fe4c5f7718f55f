#!/usr/bin/env python3
"""Makes official.safetensors and unsupported.safetensors with the official library, because reading files of our own
writer would not be an independent test. Needs PyPI's safetensors, numpy and ml_dtypes (made with 0.8.0, 2.4.6, 0.6.0).
"""
import pathlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent


def main():
    tensors = {
        "f32": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
        "f64": np.array([0.1, -1e300]),
        "f16": np.array([0, -1.5, 65504, 2.0**-24, np.inf], np.float16),
        "bf16": np.array([1, -2.5, 2.0**127], ml_dtypes.bfloat16),
        "i64": np.array(7),
        "i32": np.array([-(2**31), 5], np.int32),
        "i16": np.array([[-300], [300]], np.int16),
        "i8": np.array([-128, 127, 3], np.int8),
        "u8": np.array([255], np.uint8),
        "bool": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }
    save_file(tensors, HERE / "official.safetensors", {"format": "np", "note": 'quotes " and ä'})
    save_file({"x": np.zeros(2, np.uint16)}, HERE / "unsupported.safetensors")


if __name__ == "__main__":
    main()
