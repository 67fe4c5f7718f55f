"""predict, eval and cam on photographs, with random weights: output, and unreadable files."""

import json
import os
import signal
import subprocess

import numpy
import pytest
from PIL import Image

from conftest import TINY, wait_for

PHOTOS = os.path.join(os.path.dirname(__file__), "../../examples/photos")
CHELSEA = os.path.join(PHOTOS, "chelsea.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")


def test_predict_fields_and_softmax(effnet, tiny):
    document = effnet.json("predict", tiny, CHELSEA, ROCKET, "--top", "3", "--logits")
    assert document["model"] == "tiny" and [image["path"] for image in document["images"]] == [CHELSEA, ROCKET]
    for image in document["images"]:
        logits = numpy.array(image["logits"], dtype=numpy.float32).astype(numpy.float64)
        scores = numpy.exp(logits - logits.max())
        scores /= scores.sum()
        assert [row["index"] for row in image["top"]] == list(numpy.argsort(-logits, kind="stable"))
        for row in image["top"]:
            assert row["score"] == pytest.approx(scores[row["index"]], abs=1e-12)
        assert image["ms"] > 0
        assert all(numpy.float32(value) == value or float(repr(numpy.float32(value))) == value for value in image["logits"])


def test_random_weights_warn_and_repeat(effnet, tiny):
    first = effnet("predict", tiny, CHELSEA, "--logits", "--json")
    assert "effnet: warning:" in first.stderr and "random" in first.stderr
    logits = lambda *more: effnet.json("predict", tiny, CHELSEA, "--logits", *more)["images"][0]["logits"]
    assert logits() == logits("--threads", "1") == logits("--threads", "3") == logits("--seed", "0")
    assert logits() != logits("--seed", "1")
    assert effnet("predict", tiny, CHELSEA, "--quiet").stderr == ""


def test_logits_are_in_every_form(effnet, tiny):
    expected = effnet.json("predict", tiny, CHELSEA, "--logits")["images"][0]["logits"]
    text = effnet("predict", tiny, CHELSEA, "--logits", "--quiet").stdout
    assert [float(one) for one in text.partition("  logits: ")[2].split()] == expected
    streamed = effnet("predict", tiny, "-", "--logits", "--quiet", input=CHELSEA)
    assert json.loads(streamed.stdout)["logits"] == expected


def test_a_failing_file_does_not_stop_the_others(effnet, tiny, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(open(ROCKET, "rb").read()[:5000])
    result = effnet("predict", tiny, str(broken), "/nonexistent.png", CHELSEA, "--json", "--quiet")
    assert result.returncode == 3
    images = json.loads(result.stdout)["images"]
    assert set(images[0]) == {"path", "error"} and set(images[1]) == {"path", "error"} and "top" in images[2]
    assert result.stderr.count("effnet: error:") == 2


def test_paths_from_stdin(effnet, tiny):
    result = effnet("predict", tiny, "-", "--quiet", input=f"{CHELSEA}\n/nope.jpg\n{ROCKET}\n")
    assert result.returncode == 3
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["path"] for row in rows] == [CHELSEA, "/nope.jpg", ROCKET]
    assert "error" in rows[1] and "top" in rows[2]


def test_raw_uses_the_image_unchanged(effnet, tiny, tmp_path):
    image = Image.open(CHELSEA).convert("RGB").crop((0, 0, 45, 37))
    path = tmp_path / "small.png"
    image.save(path)
    dump = tmp_path / "in.npy"
    effnet.json("predict", tiny, str(path), "--raw", "--mean", "0.1,0.2,0.3", "--std", "0.5,0.25,2", "--dump-input", str(dump))
    wanted = (numpy.asarray(image, dtype=numpy.float64) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2]
    got = numpy.load(dump)
    assert got.shape == (1, 3, 37, 45) and got.dtype == numpy.float32
    assert numpy.abs(got[0].transpose(1, 2, 0) - wanted).max() < 1e-6


def test_dump_pixels_follow_the_rule(effnet, tiny, tmp_path):
    text = TINY + '\n'
    path = tmp_path / "rule.toml"
    path.write_text('preprocessing = "pillow"\n' + text)
    out = tmp_path / "pixels.png"
    effnet.json("predict", str(path), ROCKET, "--resolution", "50", "--dump-pixels", str(out))
    image = Image.open(ROCKET).convert("RGB")  # 640 x 427, no EXIF orientation
    side = 50 + 32
    resized = image.resize((int(side * 640 / 427), side), Image.BICUBIC)
    left, top = int(round((resized.width - 50) / 2.0)), int(round((resized.height - 50) / 2.0))
    assert Image.open(out).tobytes() == resized.crop((left, top, left + 50, top + 50)).tobytes()


def test_exif_orientation_is_applied(effnet, tiny, tmp_path):
    image = Image.open(CHELSEA).convert("RGB")
    upright = tmp_path / "upright.png"
    image.save(upright)
    turned = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation 6: the stored pixels are rotated by 90 degrees to the left
    image.transpose(Image.ROTATE_90).save(turned, exif=exif)
    logits = [effnet.json("predict", tiny, str(path), "--logits")["images"][0]["logits"] for path in (upright, turned)]
    assert logits[0] == logits[1]


def test_cam_writes_the_photograph_with_a_map(effnet, tiny, tmp_path):
    out = tmp_path / "cam.png"
    document = effnet.json("cam", tiny, CHELSEA, "-o", str(out), "--class", "2")
    assert document["class"] == 2 and document["path"] == str(out) and 0 <= document["score"] <= 1
    drawn, photo = numpy.asarray(Image.open(out)), numpy.asarray(Image.open(CHELSEA).convert("RGB"))
    assert drawn.shape == photo.shape and (drawn != photo).mean() > 0.3
    effnet.check_error(effnet("cam", tiny, CHELSEA, "-o", str(out), "--class", "3"), 2)
    folder = tmp_path / "maps"
    document = effnet.json("predict", tiny, CHELSEA, CHELSEA, "--cam", str(folder))
    assert sorted(os.listdir(folder)) == ["chelsea_2_cam.png", "chelsea_cam.png"]
    assert [image["cam"] for image in document["images"]] == [str(folder / "chelsea_cam.png"), str(folder / "chelsea_2_cam.png")]


def test_maps_replace_no_image_of_a_list(effnet, tiny, tmp_path):
    """The image would be replaced by the map of the next one."""
    image = tmp_path / "rocket_cam.png"
    Image.open(CHELSEA).save(image)
    whole = image.read_bytes()
    for paths in ([image, ROCKET], [image]):
        result = effnet("predict", tiny, "-", "--cam", tmp_path, "--quiet", input="\n".join(map(str, paths)))
        effnet.check_error(result, 2)
        assert "--cam: a map could replace an image that is read" in result.stderr and image.read_bytes() == whole
    assert os.listdir(tmp_path) == ["rocket_cam.png"]
    result = effnet("predict", tiny, "-", "--cam", tmp_path / "maps", "--quiet", input=str(image))
    assert result.returncode == 0 and os.listdir(tmp_path / "maps") == ["rocket_cam_cam.png"]


def make_dataset(root, classes=3, each=4):
    generator = numpy.random.default_rng(0)
    for index in range(classes):
        folder = root / f"class_{index}"
        folder.mkdir(parents=True)
        for number in range(each):
            Image.fromarray(generator.integers(0, 255, (40, 50, 3), dtype=numpy.uint8)).save(folder / f"{number}.png")
    return root


def test_eval_agrees_with_predict(effnet, tiny, tmp_path):
    root = make_dataset(tmp_path / "set")
    (root / "class_1" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no image")
    (root / "class_1" / "notes.txt").write_text("x")
    document = effnet.json("eval", tiny, str(root), "--batch", "5")
    assert set(document) == {"images", "top1", "top5", "mean_per_class", "interval", "worst_class", "images_per_second", "weights",
                             "skipped"}
    assert document["images"] == 12 and document["top5"] == 100
    assert sorted(os.path.basename(row["path"]) for row in document["skipped"]) == ["broken.jpg", "notes.txt"]
    hits = []
    for index in range(3):
        paths = [str(root / f"class_{index}" / f"{number}.png") for number in range(4)]
        images = effnet.json("predict", tiny, *paths, "--top", "1")["images"]
        hits += [image["top"][0]["index"] == index for image in images]
    assert document["top1"] == pytest.approx(100 * sum(hits) / 12)
    # All classes have the same number of images, so both accuracies are equal.
    assert document["mean_per_class"] == pytest.approx(document["top1"])


def test_eval_with_labels_and_classes(effnet, tiny, tmp_path):
    root = make_dataset(tmp_path / "set")
    plain = effnet.json("eval", tiny, str(root))
    flat = tmp_path / "flat"
    flat.mkdir()
    lines = ["file,class"]
    for index in range(3):
        for number in range(4):
            (flat / f"{index}_{number}.png").write_bytes((root / f"class_{index}" / f"{number}.png").read_bytes())
            lines.append(f"{index}_{number}.png,{index}")
    csv = tmp_path / "labels.csv"
    csv.write_text("\n".join(lines))
    assert effnet.json("eval", tiny, str(flat), "--labels", str(csv))["top1"] == plain["top1"]
    (root / "class_2").rename(root / "other")
    names = tmp_path / "classes.tsv"
    names.write_text("0\tclass_0\n1\tclass_1\n2\tother\n")
    assert effnet.json("eval", tiny, str(root), "--classes", str(names))["top1"] == plain["top1"]
    (root / "extra").mkdir()
    effnet.check_error(effnet("eval", tiny, str(root), "--classes", str(names)), 3)


def test_interrupt_exits_130_and_leaves_nothing(effnet, tmp_path):
    out = tmp_path / "cams"
    process = subprocess.Popen([effnet.path, "predict", "efficientnet_b0", *[CHELSEA] * 2000, "--cam", str(out), "--quiet"],
                               env={**os.environ, "EFFNET_HOME": str(effnet.home)},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for(lambda: out.exists() and any(out.iterdir()), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert all(name.endswith("_cam.png") and not name.startswith(".") for name in os.listdir(out))
