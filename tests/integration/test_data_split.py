"""`effnet data split`, lists of labels and near-duplicates, on datasets made in Python: Pillow writes the images."""

import csv
import io
import math
import os
import random
import signal
import subprocess

import pytest
from conftest import wait_for
from PIL import Image, ImageEnhance


def scene(seed, size=(96, 72)):
    """A smooth random image: a few random pixels, enlarged."""
    rng = random.Random(seed)
    return Image.frombytes("RGB", (7, 6), rng.randbytes(126)).resize(size, Image.BICUBIC)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.fixture
def bare(tmp_path):
    """A bare folder of 3 classes with 25 images each."""
    folder = tmp_path / "set"
    for c, name in enumerate(("ant", "bee", "cow")):
        for i in range(25):
            save(scene(100 * c + i), folder / name / f"{i:02}.png")
    return folder


def parts_in(folder):
    """{CLASS/FILE: split} of the written folders."""
    return {str(path.relative_to(folder / part)): part for part in ("train", "val", "test")
            for path in sorted((folder / part).rglob("*")) if path.is_file()}


def test_split_of_a_bare_folder(effnet, bare, tmp_path):
    out = tmp_path / "out"
    document = effnet.json("data", "split", bare, "-o", out)
    assert document["path"] == str(out)
    assert document["images"] == 75
    assert document["linked"] + document["copied"] == 75
    parts = parts_in(out)
    assert {name: list(parts.values()).count(name) for name in ("train", "val", "test")} == document["splits"]
    assert set(parts) == {str(path.relative_to(bare)) for path in bare.rglob("*.png")}
    # Of 25 images, val and test each get 5 with a deviation of at most two standard deviations: 1 to 9.
    for row in document["classes"]:
        assert sum(row["splits"].values()) == 25
        assert all(1 <= row["splits"][part] <= 5 + 2 * math.sqrt(25 * 0.2 * 0.8) for part in ("val", "test"))
    with open(out / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"]: row["split"] for row in rows} == parts
    assert all(row["file"].startswith(row["class_name"] + "/") for row in rows)
    # The result is a dataset with splits, and the list gives the same splits for the original folder.
    for arguments in ((out,), (bare, "--labels", out / "split.csv")):
        check = effnet.json("data", "check", *arguments)
        assert check["splits"] == ["train", "val", "test"]
        assert check["images"] == 75
        assert check["duplicates"] == check["near_duplicates"] == check["broken"] == []


def test_split_does_not_depend_on_names_or_threads(effnet, bare, tmp_path):
    one = effnet.json("data", "split", bare, "-o", tmp_path / "one", "--threads", "1")
    renamed = tmp_path / "renamed"
    for path in bare.rglob("*.png"):
        save(Image.open(path), renamed / path.parent.name / f"z{99 - int(path.stem):02}.webp", lossless=True)
    two = effnet.json("data", "split", renamed, "-o", tmp_path / "two", "--threads", "3")
    assert one["splits"] == two["splits"]
    first = parts_in(tmp_path / "one")
    second = {f"{os.path.dirname(name)}/{99 - int(os.path.basename(name)[1:3]):02}.png": part
              for name, part in parts_in(tmp_path / "two").items()}
    assert first == second
    effnet.json("data", "split", bare, "-o", tmp_path / "other", "--seed", "5")
    assert parts_in(tmp_path / "other") != first


def test_changed_copies_stay_together(effnet, bare, tmp_path):
    for i in range(25):
        image = Image.open(bare / f"ant/{i:02}.png")
        copies = [image.resize((67, 50), Image.BICUBIC), ImageEnhance.Brightness(image).enhance(0.9), image]
        for k, copy in enumerate(copies):
            save(copy, bare / f"ant/{i:02}_{k}.jpg", quality=60)
    save(scene(3), bare / "bee/wrong.png")  # an image of ant
    corrupt = bare / "bee/corrupt.png"
    corrupt.write_bytes((bare / "bee/01.png").read_bytes()[:300])
    out = tmp_path / "out"
    document = effnet.json("data", "split", bare, "-o", out)
    assert [broken["path"] for broken in document["broken"]] == [str(corrupt)]
    assert len(document["near_duplicates"]) == 25
    assert sum(document["splits"].values()) == 75 + 75 + 1
    parts = parts_in(out)
    for i in range(25):
        assert len({part for name, part in parts.items() if name.startswith(f"ant/{i:02}")}) == 1
    assert parts["ant/03.png"] == parts["bee/wrong.png"] == "train"
    text = effnet("data", "check", bare).stdout
    assert "near-duplicates: 25" in text and "[different labels]" in text


def test_split_of_a_list(effnet, tmp_path):
    for i in range(12):
        save(scene(i), tmp_path / f"photos/{'deep/' if i % 3 else ''}{i:02}.jpg", quality=95)
    names = sorted(str(path.relative_to(tmp_path / "photos")) for path in (tmp_path / "photos").rglob("*.jpg"))
    labels = tmp_path / "labels.csv"
    labels.write_text("file;class\r\n" + "".join(f"{name};{'red' if i % 2 else 'blue'}\r\n" for i, name in enumerate(names)))
    document = effnet.json("data", "split", tmp_path / "photos", "--labels", labels, "-o", tmp_path / "out", "--test", "0")
    assert [row["name"] for row in document["classes"]] == ["blue", "red"]
    assert document["splits"] == {"train": 10, "val": 2, "test": 0}  # 6 images of a class: 6 * 0.2 is 1.2
    assert set(parts_in(tmp_path / "out")) == {f"{'red' if i % 2 else 'blue'}/{name}" for i, name in enumerate(names)}
    assert any("fewer than 10 images" in note for note in document["notes"])


def test_split_refuses(effnet, bare, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    for out, code, words in ((tmp_path / "full", 2, "not empty"), (bare / "out", 2, "inside the dataset"), ("-", 2, "-o")):
        result = effnet("data", "split", bare, "-o", out)
        effnet.check_error(result, code)
        assert words in result.stderr
    for options in (("--val", "1"), ("--val", "0.6", "--test", "0.5"), ("--test", "x"), ("--test", "nan"), ("--seed", "x")):
        effnet.check_error(effnet("data", "split", bare, "-o", tmp_path / "out", *options), 2)
    effnet.check_error(effnet("data", "split", bare), 2)
    assert not (tmp_path / "out").exists()
    effnet.json("data", "split", bare, "-o", tmp_path / "out")
    result = effnet("data", "split", tmp_path / "out", "-o", tmp_path / "again")
    effnet.check_error(result, 3)
    assert "already have splits" in result.stderr


def test_unusable_sources_exit_3(effnet, tmp_path):
    def error(folder, *arguments):
        texts = []
        for command in (("check", folder), ("split", folder, "-o", tmp_path / "out")):
            result = effnet("data", *command, *arguments)
            effnet.check_error(result, 3)
            texts.append(result.stderr)
        return texts[0]

    (tmp_path / "empty").mkdir()
    assert "no labelled images" in error(tmp_path / "empty")
    save(scene(1), tmp_path / "one/cat/1.png")
    assert "a single class (got only 'cat'" in error(tmp_path / "one")
    for name in ("case/Cat", "case/cat", "beside/train/cat", "beside/train/dog", "beside/eel"):
        save(scene(1), tmp_path / name / "1.png")
    assert "'Cat' and 'cat'" in error(tmp_path / "case")
    assert "got train/ and eel/" in error(tmp_path / "beside")
    labels = tmp_path / "l.csv"
    labels.write_text("cat/1.png,a\ncat/2.png,b\n")
    assert "l.csv:2: " in error(tmp_path / "one", "--labels", labels)
    save(scene(1), tmp_path / "corrupt/cat/1.png")
    (tmp_path / "corrupt/dog").mkdir()
    (tmp_path / "corrupt/dog/1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = effnet("data", "split", tmp_path / "corrupt", "-o", tmp_path / "out")
    effnet.check_error(result, 3)
    assert "class 'dog': no readable image" in result.stderr
    # train refuses an empty class folder; data check lists the classes and then exits with the same error
    save(scene(1), tmp_path / "hollow/train/cat/1.png")
    save(scene(2), tmp_path / "hollow/train/dog/1.png")
    (tmp_path / "hollow/train/eel").mkdir()
    result = effnet("data", "check", tmp_path / "hollow")
    assert result.returncode == 3 and "train/eel: no images of this class" in result.stderr
    assert not (tmp_path / "out").exists()


def test_interrupt_leaves_nothing(effnet, tmp_path):
    """The interrupt arrives as soon as the program has a handler for it: decoding 200 large images takes far longer."""
    image = io.BytesIO()
    scene(1, (3000, 2000)).save(image, "JPEG", quality=90)
    for name in ("a", "b"):
        for i in range(100):
            path = tmp_path / "set" / name / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.getvalue())
    command = [effnet.path, "data", "split", str(tmp_path / "set"), "-o", str(tmp_path / "new/out"), "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def has_handler():
        with open(f"/proc/{process.pid}/status") as status:
            caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
        return int(caught, 16) >> (signal.SIGINT - 1) & 1

    wait_for(has_handler, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
