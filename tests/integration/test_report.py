"""effnet report on run folders made here: finished, just started, hostile, large, invalid."""

import html.parser
import json
import math
import os
import random
import re
import xml.etree.ElementTree as xml

from PIL import Image

METRICS = "epoch,step,lr,train_loss,train_top1,val_loss,val_top1,val_top5,val_ema_top1,images_per_second\n"
PREDICTIONS = "name,label,predicted,confidence,of_label\n"
CONFIG = '# every setting\n[model]\nname = "mynet" # <b>\n[train]\nepochs = 12.0\n'
VOID = {"meta", "img", "br"}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a, b\nc", "&amp;", "caf\u00e9 \u202egpj.exe", "' onload='x"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def make_run(folder, epochs=12, classes=10, images=400, name=lambda i: f"val/{i}.jpg", loss=lambda e: 2.3 / e, summary=True):
    """A run folder as effnet train writes it. Every third image is predicted as the next class."""
    rng = random.Random(7)
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG)
    rows = [f"{e},{e * 10},{0.1 * 0.97**e!r},{loss(e)!r},{50 + e},{loss(e) * 1.1!r},{50 + 2 * e},{80 + e},{'' if e % 2 else 51 + 2 * e},"
            f"{900 + rng.random()!r}" for e in range(1, epochs + 1)]
    (folder / "metrics.csv").write_text(METRICS + "".join(row + "\n" for row in rows))
    lines = []
    for i in range(images):
        label = i % classes
        predicted = label if i % 3 else (label + 1) % classes
        sure = 0.5 + 0.5 * rng.random()
        of_label = sure if predicted == label else (1 - sure) / 2
        lines.append(f"{quoted(name(i))},{label},{predicted},{sure:.6g},{of_label:.6g}\n")
    (folder / "predictions.csv").write_text(PREDICTIONS + "".join(lines))
    if summary:
        (folder / "summary.json").write_text(json.dumps({
            "best_top1": 66.75, "best_epoch": 12, "epochs": epochs, "images_per_second": 900.5, "seconds": 4210.0, "params": 4_020_358,
            "macs": 385_870_000, "device": "cpu", "world_size": 1, "peak_rss_bytes": 3 << 29}))
    return folder


class Page(html.parser.HTMLParser):
    """Checks that a page is well-formed and refers to no other file, and collects its texts."""

    def __init__(self, text, links=()):
        """`links`: the other files that the page may link to."""
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts, self.ids, self.sources, self.anchors = [], [], [], [], set(), [], []
        self.feed(text)
        self.close()
        assert self.open == [], self.open
        self.text = " ".join(" ".join(self.texts).split())
        self.svgs = re.findall(r"<svg .*?</svg>", text, re.S)
        for svg in self.svgs:
            xml.fromstring(svg)
        assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", re.sub(r'"data:image/jpeg;base64,[^"]*"', "", text))
        assert not {"script", "link", "iframe", "object", "embed", "base", "form", "input"} & set(self.tags)
        for tag, name, value in self.attributes:
            assert not name.startswith("on"), (tag, name, value)
            assert name != "href" or value.startswith("#") or value in links, value
        assert set(self.anchors) <= self.ids
        assert all(source.startswith("data:image/jpeg;base64,") for source in self.sources)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert len({name for name, _ in attributes}) == len(attributes), (tag, attributes)
        for name, value in attributes:
            self.attributes.append((tag, name, value))
            if name == "id":
                assert value not in self.ids
                self.ids.add(value)
            if name == "src":
                self.sources.append(value)
            if name == "href" and value.startswith("#"):
                self.anchors.append(value[1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open, tag, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def report(effnet, run, *arguments):
    path = effnet.json("report", run, *arguments)["path"]
    with open(path, encoding="utf-8") as file:
        return Page(file.read())


def test_a_finished_run(effnet, tmp_path):
    run = make_run(tmp_path / "my run")
    assert effnet.json("report", run) == {"path": str(run / "report.html")}
    page = report(effnet, run, "-o", tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == (run / "report.html").read_bytes()
    for part in ("my run", "mynet", "66.50 %", "validation top-1 of the saved model", "best validation top-1: 66.75 %, epoch 12", "on 400 images",
                 "1 h 10 min", "4.02M", "386M", "1.5 GiB",
                 "134 of 400 images are misclassified", "Expected calibration error", "no image", "every setting",
                 'name = "mynet" # <b>'):
        assert part in page.text, part
    # Wilson's interval of 266 of 400 (66.50 %), from its formula.
    n, z = 400, 1.959963984540054
    p = 266 / n
    centre, half = (p + z * z / 2 / n) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / (1 + z * z / n)
    assert f"95 % interval {100 * (centre - half):.2f} to {100 * (centre + half):.2f} %" in page.text
    assert len(page.svgs) == 4 + 1 + 2
    titles = [element.text for element in xml.fromstring(page.svgs[0]).iter("title")]
    assert "epoch 12: training 0.191667" in titles
    # The confusion matrix: 10 cells of correct predictions, and 10 of a class predicted as the next one.
    cells = [element.get("class") for element in xml.fromstring(page.svgs[4]).iter("rect")]
    assert (cells.count("right"), cells.count("wrong")) == (10, 10)


def test_ece_and_nll_against_python(effnet, tmp_path):
    run = make_run(tmp_path / "run")
    bins, nll, brier = [[0, 0.0, 0] for _ in range(15)], 0.0, 0.0
    rows = [line.rsplit(",", 4)[1:] for line in (run / "predictions.csv").read_text().splitlines()[1:]]
    for label, predicted, sure, of_label in rows:
        one = bins[min(14, math.ceil(float(sure) * 15) - 1)]
        one[0] += 1
        one[1] += float(sure)
        one[2] += label == predicted
        nll -= math.log(float(of_label)) / len(rows)
        brier += (float(sure) - (label == predicted))**2 / len(rows)
    ece = sum(abs(right - sure) for _, sure, right in bins) / len(rows)
    page = report(effnet, run)
    assert f"Expected calibration error {100 * ece:.2f} %" in page.text
    assert f"Negative log-likelihood {nll:.4f}" in page.text
    assert f"Brier score {brier:.4f}" in page.text


def test_unfinished_run(effnet, tmp_path):
    run = make_run(tmp_path / "run", epochs=1, summary=False)
    (run / "predictions.csv").unlink()
    with open(run / "metrics.csv", "a") as file:
        file.write("2,20,0.09")  # an incomplete line: the run writes it just now
    page = report(effnet, run)
    assert "not finished" in page.text and "52.00 %" in page.text and "epochs so far 1" in page.text
    assert page.text.count("There is no predictions.csv") == 1
    (run / "metrics.csv").write_text(METRICS)
    assert "No epoch has finished yet" in report(effnet, run).text


def test_losses_that_are_not_finite(effnet, tmp_path):
    run = make_run(tmp_path / "run", loss=lambda e: 2.3 / e if e < 10 else math.nan if e < 12 else math.inf)
    page = report(effnet, run)
    assert "The loss is not a finite number at epochs 10, 11, 12." in page.text
    run = make_run(tmp_path / "all", loss=lambda e: math.nan)
    page = report(effnet, run)
    assert "nothing to show" in page.text and "and 4 more." in page.text


def test_hostile_names(effnet, tmp_path):
    """Names come from files. They must not become markup, and two different names must not look the same."""
    run = make_run(tmp_path / "<b>run&", name=lambda i: HOSTILE[i // 3 % len(HOSTILE)] + str(i), images=60)
    for where in ("val", "train"):
        for label in sorted(HOSTILE[:2]):  # a folder's name cannot contain '/'
            folder = tmp_path / "data" / where / label.replace("/", "|")
            folder.mkdir(parents=True)
            Image.new("RGB", (40, 30), (200, 30, 30)).save(folder / "a.jpg")
    summary = json.loads((run / "summary.json").read_text())
    summary.update(device="<i>gpu</i>", data="<u>\u0007", note="<script>x</script>", extra={"<p>": "<p>"})
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "config.toml").write_text(CONFIG + "# <script>alert(2)</script>\n")
    page = report(effnet, run, "--data", tmp_path / "data")
    assert "<script>alert(1)</script>" in page.text and "<script>alert(2)</script>" in page.text and "<i>gpu</i>" in page.text
    assert "\u202e" not in page.text and "\u0007" not in page.text and "caf\u00e9 \ufffdgpj.exe" in page.text
    assert any("|script>" in text for text in page.texts)  # class names are folder names


def test_a_thousand_classes(effnet, tmp_path):
    run = make_run(tmp_path / "run", classes=1000, images=3000)
    page = report(effnet, run)
    assert "1,000 classes are too many for a matrix" in page.text and "975 more classes" in page.text
    assert len(page.svgs) == 4 + 2
    assert os.path.getsize(run / "report.html") < 2 << 20


def test_a_hundred_classes_have_a_map(effnet, tmp_path):
    page = report(effnet, make_run(tmp_path / "run", classes=100, images=2000))
    assert len(xml.fromstring(page.svgs[4]).findall(".//title")) >= 200


def test_empty_predictions(effnet, tmp_path):
    run = make_run(tmp_path / "run", images=0)
    page = report(effnet, run)
    assert page.text.count("predictions.csv contains no images") == 1
    assert "95 % interval" not in page.text


def test_no_mistake(effnet, tmp_path):
    run = make_run(tmp_path / "run", images=2)
    (run / "predictions.csv").write_text(PREDICTIONS + "a,0,0,1,1\nb,1,1,1,1\n")
    page = report(effnet, run)
    assert "There are no mistakes: all images are classified correctly." in page.text
    assert "No image is misclassified." in page.text


def test_images_of_the_worst_mistakes(effnet, tmp_path):
    """The images come from --data, or from the folder in summary.json. Each mistake has its image, reduced in size."""
    for split in ("train", "val"):
        for label, colour in (("apple", (220, 40, 30)), ("pear", (60, 200, 40))):
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (300, 200 + i), colour).save(folder / f"{i}.png")
    run = make_run(tmp_path / "run", images=0)
    (run / "predictions.csv").write_text(PREDICTIONS + "val/apple/0.png,0,1,0.9,0.1\nval/apple/1.png,0,0,1,1\nval/pear/2.png,1,0,0.8,0.2\nval/gone.png,1,0,0.7,0.3\n")
    assert report(effnet, run).sources == []
    page = report(effnet, run, "--data", tmp_path / "data")
    assert len(page.sources) == 2 and "no image" in page.text and "apple" in page.text
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "data": str(tmp_path / "data")}))
    assert report(effnet, run).sources == page.sources

    import base64
    import io
    first = Image.open(io.BytesIO(base64.b64decode(page.sources[0].split(",")[1])))
    assert first.size == (160, 107)
    assert all(abs(a - b) < 6 for a, b in zip(first.convert("RGB").getpixel((60, 40)), (220, 40, 30)))

    (run / "summary.json").write_text(json.dumps({**summary, "data": str(tmp_path / "moved")}))
    result = effnet("report", run)
    assert result.returncode == 0 and "effnet: warning: the page has no images: " in result.stderr


def flowers(folder, classes=("rose", "tulip"), images=4):
    """A bare folder of class folders. Each class has a colour and some noise."""
    rng = random.Random(3)
    for index, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for i in range(images):
            colour = [200 * (index == c) + rng.randrange(50) for c in range(3)]
            Image.new("RGB", (90, 70), tuple(colour)).save(folder / label / f"{i}.png")
    return folder


def finetune_run(effnet, tmp_path, tiny):
    """A run folder as effnet finetune writes it, with a model of two classes."""
    data = flowers(tmp_path / "flowers")
    run = make_run(tmp_path / "run", images=0)
    (run / "config.toml").write_text(f'[model]\nname = "{tiny}"\n[data]\naugment = "inception"\n')
    effnet.json("export", tiny, "--random", "--safetensors", run / "model.safetensors", "--names", "effnet")
    (run / "predictions.csv").write_text(PREDICTIONS.strip() + ",calibrated_confidence,calibrated_of_label\n"
                                         "rose/0.png,0,1,0.9,0.1,0.8,0.2\nrose/1.png,0,0,0.9,0.9,0.8,0.8\ntulip/0.png,1,1,0.7,0.7,0.6,0.6\n")
    (run / "label_errors.csv").write_text("name,label,suggested,p_label,p_suggested\nrose/2.png,rose,tulip,0.02,0.97\n../run/x.png,rose,tulip,0.1,0.9\n")
    (run / "near_duplicates.csv").write_text("group,name,class\n1,rose/0.png,rose\n1,tulip/3.png,tulip\n")
    (run / "finetune.json").write_text(json.dumps({
        "version": 1, "command": "effnet finetune flowers --out run", "effnet": "0.16", "started": "2026-11-29T12:00:00Z", "model": "tiny",
        "data": {"folder": str(data), "images": 8, "classes": [{"name": name, "train": 2, "val": 1, "test": 1} for name in ("rose", "tulip")],
                 "broken": [{"path": "rose/x.jpg", "why": "cut"}], "duplicates": [], "near_duplicates": [["rose/0.png", "tulip/3.png"]]},
        "split": {"train": 4, "val": 2, "test": 2, "by": "content"}, "probe": {"val_top1": 50.0, "interval": [9.5, 90.5], "knn_top1": 50.0},
        "plan": [{"setting": "train.epochs", "value": "12", "why": "fits into the budget"}], "budget_s": 60,
        "calibration": {"temperature": 1.5, "min_score": 0.6, "coverage": 0.9},
        "result": {"test_top1": 200 / 3, "interval": [20.8, 93.9], "worst_class": {"name": "rose", "recall": 50.0, "images": 2}},
        "warnings": ["class rose has 4 images"]}))
    return run


def test_a_finetuned_run(effnet, tmp_path, tiny):
    page = report(effnet, finetune_run(effnet, tmp_path, tiny))
    for part in ("66.67 %", "on 3 images, which no choice of the run has used", "worst class: rose, 50.0 % of 2 images", "warnings class rose has 4 images",
                 "8 images in 2 classes", "rose/x.jpg cut", "in different classes", "linear probe", "fits into the budget", "Before: without temperature",
                 "After: with temperature", "temperature 1.500", "2 images whose label is probably wrong", "class activation map", "Augmentation",
                 "images/s with", "one image"):
        assert part in page.text, part
    # 2 near-duplicates, 1 mistake with its map, 1 label error (the other name leads out of the data folder), and an image
    # of each class that is not in predictions.csv, with 5 views.
    assert len(page.sources) == 2 + 2 + 1 + 2 * 6
    assert page.text.count("no image") == 1


def test_a_broken_model_is_a_warning(effnet, tmp_path, tiny):
    run = finetune_run(effnet, tmp_path, tiny)
    (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-100])
    result = effnet("report", run)
    assert result.returncode == 0 and "effnet: warning: the page has no" in result.stderr
    (run / "finetune.json").write_text('{"version": 1, "data": {"images": -1}}')
    result = effnet("report", run)
    effnet.check_error(result, 3)
    assert "finetune.json: data.images: wrong value (got '-1'" in result.stderr


def test_several_runs(effnet, tmp_path):
    one, two = make_run(tmp_path / "run & one"), make_run(tmp_path / "two", epochs=5, summary=False)
    (one / "config.toml").write_text("[train]\nbatch = 64\n")
    (two / "config.toml").write_text("[train]\nbatch = 32\n")
    effnet.json("report", one)
    out = tmp_path / "pages" / "both.html"
    out.parent.mkdir()
    assert effnet.json("report", one, two, "-o", out) == {"path": str(out)}
    page = Page(out.read_text(), links=["../run%20%26%20one/report.html"])
    for part in ("2 runs", "run & one", "66.50 %", "400 validation images", "5 so far", "train.batch 64 32", "Validation top-1"):
        assert part in page.text, part
    assert len(page.svgs) == 3
    assert [value for _, name, value in page.attributes if name == "href"][-1] == "../run%20%26%20one/report.html"

    effnet.check_error(effnet("report", one, two), 2)
    effnet.check_error(effnet("report", one, two, "-o", out, "--data", tmp_path), 2)
    effnet.check_error(effnet("report", one, tmp_path / "none", "-o", out), 3)
    (two / "config.toml").write_text("[train]\nunknown_key = 1\n")  # of another version
    result = effnet("report", one, two, "-o", out)
    assert result.returncode == 0 and "effnet: warning: the page has no settings" in result.stderr


def test_folders_that_are_not_a_run(effnet, tmp_path):
    effnet.check_error(effnet("report", tmp_path / "none"), 3)
    effnet.check_error(effnet("report", tmp_path), 3)
    effnet.check_error(effnet("report"), 2)
    run = make_run(tmp_path / "run")
    effnet.check_error(effnet("report", run, "--data", tmp_path / "none"), 3)
    effnet.check_error(effnet("report", run, "-o", tmp_path / "none" / "page.html"), 4)
    for name, text in (("metrics.csv", METRICS + "1,2,3\n"), ("metrics.csv", METRICS + "1,10,x,1,1,,,,,1\n"), ("metrics.csv", "epoch\n"),
                       ("predictions.csv", PREDICTIONS + "a,-1,0,1,1\n"), ("predictions.csv", PREDICTIONS + 'a"b,1,0,1,1\n'),
                       ("summary.json", "[]"), ("summary.json", '{"params":"x"}'), ("config.toml", "[model")):
        whole = (run / name).read_text()
        (run / name).write_text(text)
        result = effnet("report", run)
        effnet.check_error(result, 3)
        assert str(run / name) in result.stderr
        (run / name).write_text(whole)
    assert not (run / "report.html").exists()
    assert sorted(path.name for path in run.iterdir()) == ["config.toml", "metrics.csv", "predictions.csv", "summary.json"]


def test_the_page_replaces_no_file_of_the_run(effnet, tmp_path):
    run, other = make_run(tmp_path / "run", images=20), make_run(tmp_path / "other", images=20)
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    for runs in ([run], [other, run]):
        for name in before:
            effnet.check_error(effnet("report", *runs, "-o", run / name), 2)
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before
    for _ in range(2):  # a page may be replaced
        assert effnet("report", run, "-o", run / "page.html", "--quiet").returncode == 0
