"""Files of report::EventWriter, read by PyPI's tensorboard and by a reader in this file.

pip installs tensorboard once, into $XDG_CACHE_HOME/effnet-tests (~/.cache/effnet-tests). If the package index cannot be
reached, the tests that need it are skipped.
"""

import json
import math
import os
import pathlib
import struct
import subprocess
import sys

import pytest

TENSORBOARD = "tensorboard==2.21.0"


@pytest.fixture(scope="module")
def tool():
    folder = os.environ.get("EFFNET_BIN_DIR") or os.path.dirname(os.environ.get("EFFNET_BIN", ""))
    path = pathlib.Path(folder or "/nonexistent") / "events_tool"
    if not os.access(path, os.X_OK):
        pytest.skip("events_tool is not built: set EFFNET_BIN_DIR to the folder of the built programs")

    def write(folder, lines):
        result = subprocess.run([path, folder], input="\n".join(lines), capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        return pathlib.Path(result.stdout.strip())
    return write


@pytest.fixture(scope="module")
def tensorboard():
    """read(folder): {tag: [[step, value, wall], ...]}, read by tensorboard's EventAccumulator in another process."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    place = cache / "effnet-tests" / f"{TENSORBOARD}-py{sys.version_info.major}.{sys.version_info.minor}"
    done = place / "complete"
    if not done.exists():
        pip = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
                              place, "--upgrade", TENSORBOARD, "setuptools<81"], capture_output=True, text=True,
                             timeout=600)
        if pip.returncode != 0:
            pytest.skip("pip cannot install tensorboard: " + (pip.stderr.strip().splitlines() or ["?"])[-1])
        done.touch()
    program = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
print(json.dumps({"version": events.file_version, "scalars": {
    tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}}))
"""

    def read(folder):
        result = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, timeout=300,
                                env={**os.environ, "PYTHONPATH": str(place)})
        assert result.returncode == 0, result.stderr[-2000:]
        document = json.loads(result.stdout)
        assert document["version"] == 2.0
        return document["scalars"]
    return read


def crc32c(data):
    """CRC-32C, bit by bit. Polynomial 0x1EDC6F41; with reversed bits 0x82F63B78."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data = path.read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        (crc,) = struct.unpack_from("<I", data, at + 8)
        assert crc == masked(data[at:at + 8])
        payload = data[at + 12:at + 12 + length]
        assert len(payload) == length
        (crc,) = struct.unpack_from("<I", data, at + 12 + length)
        assert crc == masked(payload)
        yield payload
        at += 16 + length


def fields(message):
    """{field number: [values]} of a protobuf message. Values of fixed size are bytes."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(count):
        nonlocal at
        value = message[at:at + count]
        assert len(value) == count
        at += count
        return value

    while at < len(message):
        key = varint()
        read = {0: varint, 1: lambda: take(8), 2: lambda: take(varint()), 5: lambda: take(4)}[key & 7]
        found.setdefault(key >> 3, []).append(read())
    return found


def read(path):
    """The events of a file: [(step, wall, tag, value)]."""
    events = list(map(fields, records(path)))
    assert events[0][3] == [b"brain.Event:2"] and 2 not in events[0]
    assert struct.unpack("<d", events[0][1][0])[0] > 1.6e9
    out = []
    for event in events[1:]:
        wall = struct.unpack("<d", event[1][0])[0]
        step = event.get(2, [0])[0]
        step -= (step >> 63) << 64
        if 7 in event:
            assert fields(event[7][0]) == {1: [1]}
            out.append((step, wall, "restart", None))
            continue
        (value,) = fields(event[5][0])[1]
        value = fields(value)
        out.append((step, wall, value[1][0].decode(), struct.unpack("<f", value[2][0])[0]))
    return out


VALUES = [(0, 2.5, 1000.25, "loss/train"), (1, 1e-30, 1001.5, "loss/train"), (127, 0.1, 1002, "loss/train"),
          (128, -3.75, 1003, "accuracy val, ünïcode <b>"), (2**40, 1e10, 1004, "loss/train"),
          (5, math.nan, 1005, "nan"), (6, math.inf, 1006, "inf")]


def lines(values):
    return [f"scalar {step} {value!r} {wall} {tag}" for step, value, wall, tag in values]


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_events_are_read_by_the_reader_in_this_file(tool, tmp_path):
    path = tool(tmp_path, lines(VALUES) + ["restart 128 2000.5"])
    assert path.parent == tmp_path and path.name.startswith("events.out.tfevents.")
    found = read(path)
    assert found.pop() == (128, 2000.5, "restart", None)
    assert len(found) == len(VALUES)
    for (step, value, wall, tag), got in zip(VALUES, found):
        assert got[:3] == (step, wall, tag) and same(got[3], float32(value)), (got, step, value, wall, tag)


def test_long_file(tool, tmp_path):
    """The file is larger than the writer's buffer."""
    values = [(step, step / 7, 10.0 + step, f"tag{step % 3}") for step in range(3000)]
    found = read(tool(tmp_path, lines(values)))
    assert found == [(step, wall, tag, float32(value)) for step, value, wall, tag in values]


def test_events_are_read_by_tensorboard(tool, tensorboard, tmp_path):
    tool(tmp_path, lines(VALUES))
    found = tensorboard(tmp_path)
    wanted = {}
    for step, value, wall, tag in VALUES:
        wanted.setdefault(tag, []).append([step, float32(value), wall])
    assert found.keys() == wanted.keys()
    for tag, rows in wanted.items():
        assert len(found[tag]) == len(rows)
        for got, row in zip(found[tag], rows):
            assert got[0] == row[0] and same(got[1], row[1]) and got[2] == row[2], tag


def test_a_resumed_run_in_tensorboard(tool, tensorboard, tmp_path):
    """A run is killed after step 5 and resumed from the checkpoint of step 3. TensorBoard shows each of the steps 1 to
    6 once."""
    first = tool(tmp_path, lines([(step, 10.0 + step, 100 + step, "loss") for step in range(1, 6)]))
    os.rename(first, first.with_name("events.out.tfevents.1000000000.host.1.0"))  # as if it were written earlier
    tool(tmp_path, ["restart 4 200"] + lines([(step, 20.0 + step, 200 + step, "loss") for step in range(4, 7)]))
    assert [row[:2] for row in tensorboard(tmp_path)["loss"]] == [[1, 11], [2, 12], [3, 13], [4, 24], [5, 25], [6, 26]]
