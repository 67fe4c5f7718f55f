"""`effnet data check` on datasets made in Python: Pillow writes the images, tarfile the shards."""

import io
import os
import random
import shutil
import subprocess
import tarfile

import pytest
from PIL import Image

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def photo(seed, size=(20, 14), kind="PNG", **options):
    rng = random.Random(seed)
    out = io.BytesIO()
    Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1])).save(out, kind, **options)
    return out.getvalue()


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def valid_folder(tmp_path):
    for i in range(4):
        write(tmp_path, f"train/cat/{i}.png", photo(i))
        write(tmp_path, f"train/dog/{i}.jpg", photo(10 + i, kind="JPEG"))
    write(tmp_path, "val/cat/0.webp", photo(20, kind="WEBP", lossless=True))
    write(tmp_path, "val/dog/0.png", photo(21))
    return tmp_path


def test_valid_folder_has_no_problems(effnet, valid_folder):
    report = effnet.json("data", "check", valid_folder)
    assert report["images"] == 10
    assert report["splits"] == ["train", "val"]
    assert report["classes"] == [{"name": "cat", "images": 5, "splits": {"train": 4, "val": 1}},
                                 {"name": "dog", "images": 5, "splits": {"train": 4, "val": 1}}]
    for findings in ("broken", "duplicates", "leaks", "conflicts", "turned", "missing", "skipped"):
        assert report[findings] == []
    text = effnet("data", "check", valid_folder)
    assert text.returncode == 0
    assert "10 images in 2 classes (train 8, val 2)" in text.stdout
    assert "corrupt: none" in text.stdout


def test_problems_are_reported(effnet, valid_folder):
    whole = photo(30, kind="JPEG", size=(64, 64))
    cut = write(valid_folder, "train/cat/cut.jpg", whole[:len(whole) // 2])
    empty = write(valid_folder, "train/cat/empty.png", b"")
    html = write(valid_folder, "train/dog/html.jpg", b"<html>404</html>")
    copy = write(valid_folder, "train/cat/copy.png", photo(2))
    encoded_again = write(valid_folder, "val/cat/again.webp", photo(3, kind="WEBP", lossless=True))
    other_label = write(valid_folder, "train/dog/cat.png", photo(1))
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = write(valid_folder, "train/dog/turned.jpg", photo(40, kind="JPEG", exif=exif.tobytes()))
    write(valid_folder, "train/eel/0.png", photo(50))
    notes = write(valid_folder, "train/dog/notes.txt", b"x")
    for threads in (1, 3):
        report = effnet.json("data", "check", valid_folder, "--threads", threads)
        assert [broken["path"] for broken in report["broken"]] == [cut, empty, html]
        assert "HTML" in report["broken"][2]["why"]
        cat = str(valid_folder / "train/cat/")
        pairs = [[f"{cat}/1.png", other_label], [f"{cat}/2.png", copy], [f"{cat}/3.png", encoded_again]]
        assert sorted(report["duplicates"]) == pairs
        assert report["leaks"] == pairs[2:]
        assert report["conflicts"] == pairs[:1]
        assert report["turned"] == [{"path": turned, "orientation": 8}]
        assert report["missing"] == [{"class": "eel", "split": "val"}]
        assert [skipped["path"] for skipped in report["skipped"]] == [notes]
    text = effnet("data", "check", valid_folder).stdout
    for expected in ("corrupt: 3", "[across splits: a leak]", "[different labels]", "orientation 8", "'eel' in val"):
        assert expected in text


def test_class_folders_without_splits(effnet, valid_folder):
    report = effnet.json("data", "check", valid_folder / "train")
    assert report["images"] == 8
    assert report["splits"] == ["."]


def test_missing_and_unusable_folders(effnet, tmp_path):
    effnet.check_error(effnet("data", "check", tmp_path / "nowhere"), 3)
    effnet.check_error(effnet("data", "check", tmp_path), 3)
    write(tmp_path, "train/cat/0.png", photo(0))
    result = effnet("data", "check", tmp_path)
    effnet.check_error(result, 3)
    assert "a single class (got only 'cat'" in result.stderr
    effnet.check_error(effnet("data", "check"), 2)
    effnet.check_error(effnet("data"), 2)


def shard(path, members, **options):
    with tarfile.open(path, "w", **options) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


SAMPLES = [("a.png", photo(0)), ("a.cls", b"0"), ("very/" + "long" * 60 + ".png", photo(1)),
           ("very/" + "long" * 60 + ".cls", b"1"), ("c.jpg", photo(2, kind="JPEG")), ("c.cls", b"2\n")]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_shards_of_all_tar_formats(effnet, tmp_path, form):
    samples = [(name.replace("long" * 60, "long" * 20) if form == tarfile.USTAR_FORMAT else name, data)
               for name, data in SAMPLES]
    shard(tmp_path / "train-000.tar", samples, format=form)
    shard(tmp_path / "val-000.tar", SAMPLES[:2], format=form)
    report = effnet.json("data", "check", tmp_path)
    assert report["images"] == 4
    assert report["broken"] == []
    assert len(report["leaks"]) == 1
    assert report["leaks"][0] == [f"{tmp_path}/train-000.tar:a.png", f"{tmp_path}/val-000.tar:a.png"]


def test_hostile_shards(effnet, tmp_path):
    shard(tmp_path / "good.tar", SAMPLES)
    data = (tmp_path / "good.tar").read_bytes()
    huge = bytearray(data)
    huge[124:136] = b"77777777777\0"
    huge[148:156] = b"        "
    huge[148:156] = f"{sum(huge[:512]):06o}\0 ".encode()
    path = tmp_path / "set" / "train-0.tar"
    for lie in (bytes(huge), data[:700], data[:100], b"", b"x" * 5000):
        write(tmp_path / "set", "train-0.tar", lie)
        result = effnet("data", "check", tmp_path / "set", timeout=60)
        effnet.check_error(result, 3)
        assert str(path) in result.stderr
    shard(path, [("a.jpg", b"no image"), ("a.cls", b"1"), *SAMPLES[2:]])
    report = effnet.json("data", "check", tmp_path / "set")
    assert [broken["path"] for broken in report["broken"]] == [f"{path}:a.jpg"]


def test_small_dataset_tool_makes_the_same_valid_dataset(effnet, tmp_path):
    tool = os.path.join(ROOT, "tools/small_dataset")
    for name in ("one", "two"):
        subprocess.run([tool, tmp_path / name, "--train", "6", "--val", "3"], check=True, stdout=subprocess.DEVNULL)
    report = effnet.json("data", "check", tmp_path / "one")
    assert report["images"] == 45
    assert len(report["classes"]) == 5
    for findings in ("broken", "duplicates", "turned", "missing", "skipped"):
        assert report[findings] == []
    for folder, _, files in os.walk(tmp_path / "one"):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as a, open(path.replace("/one/", "/two/"), "rb") as b:
                assert a.read() == b.read()
    again = subprocess.run([tool, tmp_path / "one"], stderr=subprocess.PIPE, text=True)
    assert again.returncode == 1 and "not empty" in again.stderr
    shutil.rmtree(tmp_path / "two")
