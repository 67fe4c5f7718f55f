"""effnet paper: every table and figure in every format, the page of all of them, and wrong input. The times of table4 are
not tested, because machines differ."""

import csv
import io
import os
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from conftest import ROOT

TABLES = [f"table{i}" for i in range(1, 9)]
FIGURES = [f"fig{i}" for i in range(1, 9)]
DRAWN = [figure for figure in FIGURES if figure != "fig7"]
ITEMS = TABLES + FIGURES
SOURCES = {"computed", "measured", "quoted"}
BASES = 'bases = ["small"]\n'
RUN = """[[measured]]
base = "small"
dataset = "CIFAR-10"
rule = "width"
depth = 1.0
width = 2.0
resolution = 16
classes = 10
params = 1000
macs = {macs}
seed = {seed}
top1 = {top1}
date = "2026-12-24"
page = "docs/x.md"
"""


def tables_of(document):
    return {key: rows for key, rows in document.items() if isinstance(rows, list) and rows and isinstance(rows[0], dict)}


def flat(row, prefix=""):
    """{"paper": {"macs": 1}} -> {"paper.macs": 1}"""
    out = {}
    for key, value in row.items():
        out.update(flat(value, prefix + key + ".") if isinstance(value, dict) else {prefix + key: value})
    return out


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_in_every_format(effnet, tmp_path, item):
    paper = ["paper", item, *(["--no-timing"] if item == "table4" else [])]
    document = effnet.json(*paper)
    assert document["table"] == item and document["rows"]
    for rows in tables_of(document).values():
        for row in rows:
            assert set(row["source"].values()) <= SOURCES
            for key, value in row.items():
                if isinstance(value, (int, float)):
                    assert key in row["source"], (key, row)  # every number says where it comes from
            assert all(isinstance(row[key], int) for key in ("params", "macs") if row.get(key) is not None)

    out = {kind: tmp_path / f"x.{kind}" for kind in ("md", "json", "csv", "html", "svg")}
    for kind in ("md", "json", "csv", "html"):
        assert effnet(*paper, "-o", out[kind]).returncode == 0
    assert out["md"].read_text() == effnet(*paper, "-o", "-").stdout
    assert out["json"].read_text() == effnet(*paper, "--json").stdout

    # The CSV has the numbers of the JSON, and the source of each column.
    blocks = out["csv"].read_text().split("\n\n")
    assert len(blocks) == len(tables_of(document))
    for block, rows in zip(blocks, tables_of(document).values()):
        lines = list(csv.reader(io.StringIO(block)))
        assert len(lines) == len(rows) + 1
        keys = [re.sub(r" \((computed|measured|quoted)\)$", "", title) for title in lines[0]]
        for line, row in zip(lines[1:], rows):
            values = flat(row)
            for key, text in zip(keys, line):
                value = values[key]
                assert (text == "" if value is None else text == str(value) or float(text) == value), key

    page = out["html"].read_text()
    assert f'<section id="{item}">' in page and "<script" not in page
    HTMLParser().feed(page)
    result = effnet(*paper, "-o", out["svg"])
    if item in DRAWN:
        assert result.returncode == 0
        root = ElementTree.parse(out["svg"]).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        marks = [element for element in root.iter() if set(element.get("class", "").split()) & {"line", "bar", "dot"}]
        assert len(marks) >= 4
    else:
        effnet.check_error(result, 2)
        assert not out["svg"].exists()


def test_all(effnet, tmp_path):
    out = tmp_path / "all.html"
    document = effnet.json("paper", "all", "--no-timing", "-o", out)
    assert [item["table"] for item in document["items"]] == ITEMS
    page = out.read_text()
    anchors = set(re.findall(r'<section id="(\w+)"', page))
    links = re.findall(r'href="#(\w+)"', page)
    assert anchors == set(ITEMS) and set(links) == anchors and len(links) > len(anchors)
    assert f"effnet paper all --no-timing -o {out}" in page
    # The page is the same each time.
    again = tmp_path / "again.html"
    assert effnet("paper", "all", "--no-timing", "-o", again).returncode == 0
    assert again.read_text().replace("again.html", "all.html") == page
    text = effnet("paper", "all", "--no-timing").stdout
    assert all(f"{kind} {number}: " in text for kind, number in (("Table", 1), ("Table", 8), ("Figure", 1), ("Figure", 8)))


def test_names_are_networks_of_effnet(effnet):
    """The names of scaled networks say how `effnet scale` makes them."""
    row = {row["name"]: row for row in effnet.json("paper", "table3")["rows"]}["mobilenet_v1-d1.4-w1.2-r299"]
    scaled = effnet.json("scale", "mobilenet_v1", "--depth", "1.4", "--width", "1.2", "--resolution", "299")
    assert (scaled["params"], scaled["macs"]) == (row["params"], row["macs"])


def test_measured_results(effnet, tmp_path):
    results = tmp_path / "r.toml"
    results.write_text(BASES + "".join(RUN.format(macs=4000000, seed=seed, top1=top1) for seed, top1 in ((1, 60.0), (2, 64.0))))
    more = tmp_path / "more.toml"
    more.write_text(BASES + RUN.format(macs=9000000, seed=1, top1=70.5).replace("2.0", "3.0", 1))
    document = effnet.json("paper", "fig8", "--results", results, "--results", more)
    added = [row for row in document["measured"] if row["name"] == "small"]  # the others are effnet's own results
    assert [(row["macs"], row["runs"], row["top1"]) for row in added] == [
        (4000000, 2, {"mean": 62.0, "low": 60.0, "high": 64.0}), (9000000, 1, {"mean": 70.5, "low": 70.5, "high": 70.5})]
    assert added[0]["source"]["top1"] == "measured"
    svg = tmp_path / "f.svg"
    assert effnet("paper", "fig8", "--results", results, "-o", svg).returncode == 0
    assert "Measured: small on CIFAR-10" in svg.read_text()
    for files in ([results, results], [os.path.join(ROOT, "docs/results/scaling.toml")]):  # the second one is built in
        twice = effnet("paper", "fig8", *(word for file in files for word in ("--results", file)))
        effnet.check_error(twice, 3)
        assert "a second row for the same run (seed 1)" in twice.stderr
    row = RUN.format(macs=1, seed=1, top1=60)
    for wrong in (BASES + RUN.format(macs=1, seed=1, top1=101), row, BASES + row.replace('"width"', '"widht"')):
        results.write_text(wrong)
        refused = effnet("paper", "fig8", "--results", results)
        effnet.check_error(refused, 3)
        assert re.search(re.escape(str(results)) + r":\d+:\d+: measured\[0\]\.(top1|base|rule): ", refused.stderr), refused.stderr
    effnet.check_error(effnet("paper", "fig8", "--results", tmp_path / "missing.toml"), 3)


@pytest.mark.parametrize("arguments,part", [
    (["paper"], "ITEM"),
    (["paper", "table9"], "'table9'"),
    (["paper", "Table1"], "'Table1'"),
    (["paper", "table1", "table2"], "table2"),
    (["paper", "table1", "-o", "x.docx"], "FILE.md"),
    (["paper", "table1", "-o", "x"], "FILE.md"),
    (["paper", "fig7", "-o", "x.svg"], "not possible for fig7"),
    (["paper", "fig7", "-o", "x.svg"], "effnet cam"),
    (["paper", "table3", "-o", "x.svg"], "SVG files show fig1"),
    (["paper", "all", "-o", "x.csv"], "not possible for all"),
    (["paper", "all", "-o", "x.svg"], "not possible for all"),
    (["paper", "table1", "--no-timing"], "--no-timing: it has no effect here"),
    (["paper", "fig2", "--results", "x.toml"], "--results: it has no effect here"),
    (["paper", "table4", "--seconds", "0"], "--seconds"),
    (["paper", "table4", "--seconds", "nan"], "--seconds"),
    (["paper", "table2", "-o", "-", "--json"], "-o -"),
])
def test_wrong_usage(effnet, arguments, part):
    result = effnet(*arguments)
    effnet.check_error(result, 2)
    assert part in result.stderr


def test_a_missing_folder(effnet, tmp_path):
    effnet.check_error(effnet("paper", "table1", "-o", tmp_path / "missing" / "x.md"), 4)
