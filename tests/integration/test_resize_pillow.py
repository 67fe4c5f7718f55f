"""vision::resize compared with Debian's Pillow, byte for byte, on random images, sizes, boxes and filters (fixed seed).

$EFFNET_BIN_DIR is the folder of the built programs, with resize_tool. Default: the folder of $EFFNET_BIN.
"""
import os
import pathlib
import random
import subprocess

import pytest

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

FILTERS = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
SIDES = (1, 2, 3, 7, 16, 31, 64, 97, 224, 300, 375, 500)


def tool():
    folder = os.environ.get("EFFNET_BIN_DIR") or os.path.dirname(os.environ.get("EFFNET_BIN", ""))
    path = pathlib.Path(folder or "/nonexistent") / "resize_tool"
    if not os.access(path, os.X_OK):
        pytest.skip("resize_tool is not built: set EFFNET_BIN_DIR to the folder of the built programs")
    return path


def photo(w, h, kind, seed):
    noise = np.random.RandomState(seed).randint(0, 256, (h, w, 3))
    if kind == "noise":
        return noise.astype(np.uint8)
    if kind == "stripes":  # black and white, so that filters overshoot and are clipped
        return np.repeat(255 * (noise[..., :1] & 1), 3, 2).astype(np.uint8)
    y, x = np.mgrid[:h, :w]
    return np.stack([x * 255 // w, y * 255 // h, (x + y) % 256], -1).astype(np.uint8)


def cases():
    rng = random.Random(20260101)
    for seed in range(200):
        w, h = rng.choice(SIDES), rng.choice(SIDES)
        # In a quarter of the cases one side keeps its size, so that one of the two passes is skipped.
        to = (w if rng.random() < 0.25 else rng.choice(SIDES), h if rng.random() < 0.25 else rng.choice(SIDES))
        box = None
        if rng.random() < 0.4:
            x0, y0 = rng.uniform(0, w * 0.7), rng.uniform(0, h * 0.7)
            box = (x0, y0, rng.uniform(x0 + 0.01 * w, w), rng.uniform(y0 + 0.01 * h, h))
            if rng.random() < 0.5:  # whole pixels
                box = (int(x0), int(y0), min(int(x0) + rng.randint(1, w), w), min(int(y0) + rng.randint(1, h), h))
        yield seed, rng.choice(list(FILTERS)), rng.choice(("noise", "stripes", "ramp")), (w, h), to, box


def test_equals_pillow(tmp_path):
    program = tool()
    different = []
    for case in cases():
        seed, name, kind, (w, h), to, box = case
        image = Image.fromarray(photo(w, h, kind, seed))
        image.save(tmp_path / "in.png")
        command = [program, tmp_path / "in.png", name, f"{to[0]}x{to[1]}", tmp_path / "out.png"]
        if box:
            command.append(",".join(map(repr, box)))
        subprocess.run(command, check=True, timeout=60)
        expected = image.resize(to, FILTERS[name], box)
        if Image.open(tmp_path / "out.png").convert("RGB").tobytes() != expected.tobytes():
            different.append(case)
    assert not different, f"{len(different)} of 200 differ from Pillow, first {different[0]}"


def test_wrong_usage_is_reported(tmp_path):
    program = tool()
    Image.fromarray(photo(4, 4, "noise", 0)).save(tmp_path / "in.png")
    for arguments, code in (((), 2), (("in.png", "bicubik", "3x3", "out.png"), 3),
                            (("in.png", "box", "3x3", "out.png", "0,0,9,9"), 2)):
        done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code and done.stderr
