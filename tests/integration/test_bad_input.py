"""Corrupt files: effnet exits with 3 and one error line, and leaves no partial output."""

import io
import json
import os
import pickle
import struct
import zipfile

import pytest
from PIL import Image

PHOTOS = os.path.join(os.path.dirname(__file__), "../../examples/photos")
TINY = 'name = "tiny"\nresolution = 32\nclasses = 3\n[stem]\nchannels = 8\n[[stages]]\nchannels = 8\n[head]\nchannels = 8\n'


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(TINY)
    return path


def encoded(kind, **options):
    out = io.BytesIO()
    Image.open(os.path.join(PHOTOS, "chelsea.png")).convert("RGB").resize((97, 61)).save(out, kind, **options)
    return out.getvalue()


def corrupt_jpeg():
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5:at + 9] = struct.pack(">HH", 65500, 65500)
    return bytes(data)


def corrupt_png():
    data = bytearray(encoded("PNG"))
    data[16:24] = struct.pack(">II", 1 << 30, 1 << 30)
    return bytes(data)


def corrupt_webp():
    data = bytearray(encoded("WEBP", lossless=True))
    data[4:8] = struct.pack("<I", 0x7FFFFFF0)
    return bytes(data)


def images():
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = encoded(kind)
        for part in (0.02, 0.3, 0.7, 0.97):
            yield f"{kind} cut at {part}", whole[:int(len(whole) * part)]
    yield "progressive JPEG cut", encoded("JPEG", progressive=True)[:-200]
    yield "lying JPEG", corrupt_jpeg()
    yield "lying PNG", corrupt_png()
    yield "lying WebP", corrupt_webp()
    yield "empty", b""
    yield "text", b"<html>not an image</html>"
    yield "GIF", b"GIF89a" + bytes(100)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in images()])
def test_corrupt_images_are_refused(effnet, tiny, tmp_path, data):
    path = tmp_path / "image.jpg"
    path.write_bytes(data)
    result = effnet("predict", tiny, path, "--quiet")
    effnet.check_error(result, 3)
    assert "image.jpg" in result.stderr
    out = tmp_path / "out.png"
    effnet.check_error(effnet("cam", tiny, path, "-o", out, "--quiet"), 3)
    assert not out.exists()


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensors():
    f32 = lambda shape, begin, end, dtype="F32": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    yield "huge header length", safetensors({}, length=1 << 62)
    yield "header past the end", safetensors({}, length=1000)
    yield "not JSON", safetensors(b"{" * 50)
    yield "deep JSON", safetensors(b'{"a":' * 100000)
    yield "overlapping", safetensors({"a": f32([2], 0, 8), "b": f32([2], 4, 12)}, bytes(12))
    yield "out of range", safetensors({"a": f32([2], 0, 8)}, bytes(4))
    yield "backwards", safetensors({"a": f32([2], 8, 0)}, bytes(8))
    yield "wrong dtype", safetensors({"a": f32([2], 0, 8, "F33")}, bytes(8))
    yield "wrong size", safetensors({"a": f32([3], 0, 8)}, bytes(8))
    yield "shape overflow", safetensors({"a": f32([1 << 40, 1 << 40], 0, 8)}, bytes(8))
    yield "negative shape", safetensors({"a": f32([-2], 0, 8)}, bytes(8))
    yield "no tensors", safetensors({})
    yield "empty", b""


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in tensors()])
def test_corrupt_safetensors_are_refused(effnet, tmp_path, data):
    check_import(effnet, tmp_path, data, "weights.safetensors")
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    effnet.check_error(effnet("inspect", path), 3)


def check_import(effnet, tmp_path, data, name):
    source, out = tmp_path / name, tmp_path / "out" / "model.safetensors"
    out.parent.mkdir()
    source.write_bytes(data)
    result = effnet("import", source, "-o", out)
    effnet.check_error(result, 3)
    assert os.listdir(out.parent) == []
    return result.stderr


class RunsCode:
    def __reduce__(self):
        return (os.system, ("touch /tmp/effnet_was_here",))


def zipped(data, **entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
        for name, content in entries.items():
            archive.writestr(f"archive/data/{name}", content)
    return out.getvalue()


def state_dict(shape=(2, 2), stride=(2, 1), count=4, key="0"):
    """A pickled OrderedDict with one tensor, in the form that torch.save writes."""
    word = lambda text: b"X" + struct.pack("<I", len(text)) + text.encode()
    number = lambda value: b"\x8a\x08" + struct.pack("<q", value)
    numbers = lambda values: b"(" + b"".join(number(value) for value in values) + b"t"
    return (b"\x80\x02ccollections\nOrderedDict\n)R(" + word("w") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + word("storage")
            + b"ctorch\nFloatStorage\n" + word(key) + word("cpu") + number(count) + b"tQK\x00" + numbers(shape) + numbers(stride)
            + b"\x89ccollections\nOrderedDict\n)RtRu.")


def pths():
    good = bytes(16)
    yield "foreign global", zipped(pickle.dumps({"w": RunsCode()}, 2)), "system"
    yield "foreign global, legacy", pickle.dumps({"w": RunsCode()}, 2), ""
    yield "missing storage", zipped(state_dict(key="7"), **{"0": good}), "7"
    yield "short storage", zipped(state_dict(), **{"0": good[:8]}), ""
    yield "view beyond its storage", zipped(state_dict((2, 3), (3, 1)), **{"0": good}), ""
    yield "expanded view", zipped(state_dict((1 << 20, 1 << 20), (0, 0)), **{"0": good}), ""
    yield "shape overflow", zipped(state_dict((1 << 62, 1 << 62), (1, 1)), **{"0": good}), ""
    yield "negative stride", zipped(state_dict((2, 2), (-2, 1)), **{"0": good}), ""
    yield "deep nesting", zipped(b"\x80\x02" + b"(" * 500000 + b"t" * 500000 + b"."), ""
    yield "no data.pkl", zipped(b"")[:30] + bytes(100), ""
    yield "endless memo", zipped(b"\x80\x02]q\x00" + b"h\x00h\x00h\x00e" * 10000 + b"."), ""
    yield "truncated", zipped(state_dict(), **{"0": good})[:-40], ""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state_dict(count=1 << 26, shape=(1 << 26,), stride=(1,)))
        archive.writestr("archive/data/0", bytes(1 << 28))
    yield "zip bomb", bomb.getvalue(), ""


@pytest.mark.parametrize("data,part", [pytest.param(data, part, id=name) for name, data, part in pths()])
def test_corrupt_pth_files_are_refused(effnet, tmp_path, data, part):
    assert part in check_import(effnet, tmp_path, data, "weights.pth")
    assert not os.path.exists("/tmp/effnet_was_here")


def test_weights_of_another_architecture_are_refused(effnet, tmp_path):
    exported = tmp_path / "b0.pth"
    effnet.json("export", "efficientnet_b0", "--pth", exported, "--quiet")
    out = tmp_path / "b1.safetensors"
    result = effnet("import", exported, "--arch", "efficientnet_b1", "-o", out)
    effnet.check_error(result, 3)
    assert "features." in result.stderr, "the message names the first tensors that do not fit"
    assert not out.exists()


def test_corrupt_arch_files_are_refused(effnet, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(TINY.replace("channels = 8\n[head]", "chanels = 8\n[head]"))
    result = effnet("inspect", path)
    effnet.check_error(result, 3)
    assert "net.toml:7:1" in result.stderr and "channels" in result.stderr
    path.write_text(TINY + "x = [")
    effnet.check_error(effnet("inspect", path), 3)
    path.write_text('name = "n"\n[[stages]]\nblock = "mbcnov"\nchannels = 8\n')
    effnet.check_error(effnet("inspect", path), 3)
    path.write_bytes(bytes(range(256)))
    effnet.check_error(effnet("inspect", path), 3)
    effnet.check_error(effnet("inspect", tmp_path / "none.toml"), 3)
    effnet.check_error(effnet("inspect", tmp_path / "none.safetensors"), 3)


def test_memory_stays_bounded(effnet, tiny, tmp_path):
    """Corrupt files in an address space of 600 MB, most of which the program's libraries use."""
    import resource
    import subprocess
    for name, data in (("a.jpg", corrupt_jpeg()), ("a.png", corrupt_png()), ("a.webp", corrupt_webp())):
        path = tmp_path / name
        path.write_bytes(data)
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
        result = subprocess.run([effnet.path, "predict", str(tiny), str(path), "--quiet", "--threads", "1"], preexec_fn=limit,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert result.returncode == 3, (name, result.stderr)
