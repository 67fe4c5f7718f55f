"""Scaling rules on the command line: scale --rule, --factor, --compare and scale frontier, as in docs/cli.md. Times are not tested."""

import math
import re
import xml.etree.ElementTree

import pytest

RULES = ["compound", "uniform", "fast", "width", "depth", "resolution", "capped", "tinynet"]
B0_MACS = 385814752


# The formulas of docs/reference/scaling.md at s = 4.
@pytest.mark.parametrize("rule,depth,width,resolution", [
    ("uniform", 4 ** (1 / 3), 4 ** (1 / 6), 284), ("fast", 4**0.1, 4**0.4, 240), ("width", 1, 2, 224), ("depth", 4, 1, 224), ("resolution", 1, 1, 448)])
def test_formulas(effnet, rule, depth, width, resolution):
    scaled = effnet.json("scale", "efficientnet_b0", "--rule", rule, "--phi", "2")
    assert (scaled["rule"], scaled["phi"], scaled["constraint"]) == (rule, 2, 2)
    assert scaled["depth"] == pytest.approx(depth) and scaled["width"] == pytest.approx(width)
    assert scaled["resolution"] == resolution  # 224 * r, rounded to a multiple of 4: 282.2 and 240.1 for the first two


def test_the_default_is_the_compound_rule(effnet):
    for way in (["--phi", "1.3"], ["--target-macs", "900M"]):
        assert effnet.json("scale", "mobilenet_v2", *way) == effnet.json("scale", "mobilenet_v2", *way, "--rule", "compound")


def test_one_dimension_alone_is_a_rule_with_dims(effnet):
    for rule, dims in (("width", "w"), ("depth", "d"), ("resolution", "r")):
        alone = effnet.json("scale", "resnet18", "--rule", rule, "--phi", "1")
        assert alone["stages"] == effnet.json("scale", "resnet18", "--rule", "uniform", "--dims", dims, "--phi", "1")["stages"]


@pytest.mark.parametrize("rule", RULES)
def test_factors_and_targets(effnet, rule):
    near = rule not in ("width", "depth", "resolution")  # these move in steps
    for arguments, target in ((["--factor", "2"], 2 * B0_MACS), (["--target-macs", "1G"], 1e9)):
        scaled = effnet.json("scale", "efficientnet_b0", "--rule", rule, *arguments)
        assert scaled["macs"] <= target
        if near:
            assert scaled["macs"] >= 0.97 * target
    if rule != "resolution":
        assert effnet.json("scale", "efficientnet_b0", "--rule", rule, "--target-params", "9M")["params"] <= 9e6
    if rule != "depth":
        scaled = effnet.json("scale", "efficientnet_b0", "--rule", rule, "--target-memory", "40MB")
        assert scaled["activations"]["peak_bytes"] <= 40e6


def test_a_scaled_network_is_an_arch_file(effnet, tmp_path):
    for rule in ("capped", "tinynet"):
        out = tmp_path / f"{rule}.toml"
        scaled = effnet.json("scale", "efficientnet_b0", "--rule", rule, "--target-macs", "20G", "-o", str(out))
        again = effnet.json("inspect", str(out))
        assert (again["macs"], again["params"], again["stages"]) == (scaled["macs"], scaled["params"], scaled["stages"])
    assert 'depth_rounding = "nearest"' in out.read_text() and out.read_text().count("scale_width = false") == 2


def test_capped_stays_at_480_pixels(effnet):
    scaled = effnet.json("scale", "efficientnet_b0", "--rule", "capped", "--phi", "7")
    factor = (1.15**7 * 224 / 480) ** 2
    assert scaled["resolution"] == 480 and scaled["late_depth"] == pytest.approx(factor)
    repeats = [math.ceil(1.2**7 * (factor if i >= 3 else 1) * n) for i, n in enumerate([1, 2, 2, 3, 3, 4, 1])]
    assert [stage["repeats"] for stage in scaled["stages"]] == repeats
    assert effnet.json("scale", "efficientnet_b0", "--rule", "capped", "--target-macs", "50G")["resolution"] <= 480
    assert effnet.json("scale", "efficientnet_b6", "--rule", "capped", "--phi", "1")["resolution"] == 528
    assert effnet.json("scale", "efficientnet_b6", "--rule", "capped", "--phi", "-1")["resolution"] == 460  # 528 / 1.15 = 459.1
    assert effnet.json("scale", "efficientnet_b6", "--rule", "capped", "--factor", "0.99")["resolution"] < 528


def test_tinynets(effnet):
    rows = {row["name"]: row for row in effnet.json("models", "tinynet*")}
    assert {name: (row["resolution"], round(row["params"] / 1e6, 2)) for name, row in rows.items()} == {
        "tinynet_a": (192, 6.19), "tinynet_b": (188, 3.73), "tinynet_c": (184, 2.46), "tinynet_d": (152, 2.34), "tinynet_e": (106, 2.04)}
    scaled = effnet.json("scale", "efficientnet_b0", "--rule", "tinynet", "--target-macs", str(rows["tinynet_c"]["macs"]))
    assert scaled["depth"] == pytest.approx(0.85, rel=0.1) and scaled["width"] == pytest.approx(0.54, rel=0.1)
    family = effnet.json("scale", "tinynet_a", "--family")
    assert [row["name"] for row in family] == list(rows)
    ratio = 192 / 224  # relative to B0's 224 px
    assert family[0]["formula"]["phi"] == pytest.approx(math.log(1.2 * ratio**2) / math.log(1.2 * 1.21 * 1.15**2))


COMPARE = ["rule", "phi", "depth", "late_depth", "width", "resolution", "macs", "params", "activations"]


def test_compare_without_latency(effnet):
    document = effnet.json("scale", "efficientnet_b0", "--compare", "--no-latency")
    assert list(document) == ["base", "target_macs", "rows"] and document["target_macs"] == 4 * B0_MACS
    assert [row["rule"] for row in document["rows"]] == RULES
    for row in document["rows"]:
        assert list(row) == COMPARE + ["reached", "smallest_macs"]
        assert row["macs"] <= 4 * B0_MACS and row["reached"] == (row["macs"] >= 0.97 * 4 * B0_MACS)
        assert row["reached"] or row["rule"] in ("width", "depth")
    rows = {row["rule"]: row for row in document["rows"]}
    # Dollar et al. 2021: at equal MACs the fast rule has fewer activations; the resolution alone has the most.
    peaks = {rule: row["activations"]["peak_bytes"] for rule, row in rows.items()}
    assert peaks["fast"] < peaks["compound"] < peaks["resolution"]
    assert rows["resolution"]["params"] == 5288548
    phi = effnet.json("scale", "efficientnet_b0", "--compare", "--no-latency", "--phi", "2")
    assert phi["target_macs"] == effnet.json("scale", "efficientnet_b0", "--phi", "2")["macs"]


def test_a_rule_without_a_network_this_small(effnet):
    command = ["scale", "efficientnet_b0", "--compare", "--no-latency", "--factor", "0.25"]
    rows = {row["rule"]: row for row in effnet.json(*command)["rows"]}
    smallest = rows["depth"].pop("smallest_macs")
    assert rows["depth"] == {key: None for key in COMPARE} | {"rule": "depth", "reached": False}
    assert smallest > B0_MACS / 4
    result = effnet("scale", "efficientnet_b0", "--rule", "depth", "--target-macs", str(smallest))  # it can be reached
    assert result.returncode == 0 and f"{smallest:,}" in result.stdout
    assert f"depth: the smallest network of this rule has {smallest:,} MACs" in effnet(*command).stdout
    assert rows["tinynet"]["reached"]


def test_compare_measures_every_network(effnet, tiny):
    document = effnet.json("scale", tiny, "--compare", "--threads", "1", "--factor", "2")
    assert document["measured"]["threads"] == 1 and document["measured"]["batch"] == 1
    assert all(list(row) == COMPARE + ["latency_ms", "reached", "smallest_macs"] for row in document["rows"])
    assert all(row["latency_ms"] > 0 for row in document["rows"] if row["macs"])
    text = effnet("scale", tiny, "--compare", "--no-latency")
    assert text.returncode == 0 and all(rule in text.stdout for rule in RULES)


def test_rules_to_a_latency(effnet, tiny):
    for rule in ("fast", "depth"):
        scaled = effnet.json("scale", tiny, "--rule", rule, "--target-latency-ms", "2", "--threads", "1")
        assert scaled["latency_ms"] <= 2 and scaled["rule"] == rule


def test_frontier(effnet, tmp_path):
    out = tmp_path / "frontier.svg"
    document = effnet.json("scale", "frontier", "efficientnet_b0", "--cost", "macs", "--points", "4", "-o", str(out))
    assert list(document) == ["base", "rule", "cost", "rows", "path"] and document["path"] == str(out)
    rows = document["rows"]
    assert [row["budget"] for row in rows] == pytest.approx([B0_MACS / 4 * 16 ** (i / 3) for i in range(4)])
    assert all(0.97 * row["budget"] <= row["macs"] <= row["budget"] for row in rows)
    assert all("latency_ms" not in row for row in rows)
    root = xml.etree.ElementTree.parse(out).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    printed = effnet("scale", "frontier", "efficientnet_b0", "--cost", "macs", "--points", "4", "-o", "-")
    assert printed.stdout == out.read_text()
    table = effnet("scale", "frontier", "efficientnet_b0", "--cost", "memory", "--from", "10MB", "--to", "40MB", "--points", "2", "--rule", "fast")
    assert table.returncode == 0 and "the rule fast" in table.stdout


def test_frontier_of_several_rules(effnet, tmp_path):
    out = tmp_path / "frontier.svg"
    frontier = ["scale", "frontier", "efficientnet_b0", "--cost", "macs", "--points", "3", "--rule"]
    document = effnet.json(*frontier, "compound,depth", "-o", str(out))
    assert document["rule"] == "compound,depth"
    # Depth alone has no network of a quarter of the MACs.
    assert [row["rule"] for row in document["rows"]] == ["compound"] * 3 + ["depth"] * 2
    assert [{**row, "rule": "compound"} for row in document["rows"][:3]] == effnet.json(*frontier, "compound")["rows"]
    assert all(f">{text}</text>" in out.read_text() for text in ("compound", "depth", "MACs in millions", "parameters in millions"))
    assert {row["rule"] for row in effnet.json(*frontier, "all")["rows"]} == set(RULES)


@pytest.mark.parametrize("cost,limit", [("memory", lambda row: row["activations"]["peak_bytes"]), ("params", lambda row: row["params"])])
def test_a_frontier_has_no_dominated_network(effnet, cost, limit):
    rows = effnet.json("scale", "frontier", "efficientnet_b0", "--cost", cost, "--points", "40")["rows"]
    for row in rows:
        worse = [other for other in rows if limit(other) >= limit(row) and other["macs"] < row["macs"]]
        assert not worse, (row["budget"], [other["budget"] for other in worse])


@pytest.mark.parametrize("way", [["--target-memory", "20MB"], ["--target-params", "9M"], ["--phi", "0.7"], ["--rule", "fast", "--factor", "3"]])
def test_what_scale_prints_makes_the_network_again(effnet, tmp_path, way):
    """Only the dropout is the base's, because the paper's is for a phi."""
    first, again = tmp_path / "first.toml", tmp_path / "again.toml"
    line = effnet("scale", "efficientnet_b0", *way, "-o", first).stdout.splitlines()[0]
    depth, width, px = re.fullmatch(r"efficientnet_b0 scaled by depth (\S+), width (\S+) to (\d+) px  \(phi = \S+\)", line).groups()
    effnet.json("scale", "efficientnet_b0", "--depth", depth, "--width", width, "--resolution", px, "-o", again)
    assert "\ndropout = 0.2\n" in again.read_text()
    without_dropout = [re.sub(r"\ndropout = .*", "", arch.read_text()) for arch in (again, first)]
    assert without_dropout[0] == without_dropout[1]


@pytest.mark.parametrize("cost", ["memory", "params"])
def test_frontier_of_other_costs(effnet, tiny, cost):
    rows = effnet.json("scale", "frontier", tiny, "--cost", cost, "--points", "3", "--latency", "--threads", "1")["rows"]
    assert rows and all(row["latency_ms"] > 0 for row in rows)
    assert all((row["activations"]["peak_bytes"] if cost == "memory" else row["params"]) <= row["budget"] for row in rows)


def test_frontier_of_the_latency(effnet, tiny):
    document = effnet.json("scale", "frontier", tiny, "--cost", "latency", "--from", "5", "--to", "15", "--points", "2", "--threads", "1")
    assert all(0 < row["latency_ms"] <= row["budget"] for row in document["rows"])
    assert document["measured"]["threads"] == 1


@pytest.mark.parametrize("arguments,part", [
    (["efficientnet_b0", "--rule", "fats", "--phi", "1"], "--rule: unknown scaling rule"),
    (["efficientnet_b0", "--rule", "fast", "--phi", "1", "--alpha", "1.3"], "--alpha"),
    (["efficientnet_b0", "--rule", "capped", "--phi", "1", "--dims", "d"], "--dims"),
    (["efficientnet_b0", "--rule", "fast", "--width", "2"], "--rule"),
    (["efficientnet_b0", "--depth", "2", "--width", "2", "--alpha", "1.3"], "--alpha"),
    (["efficientnet_b0", "--resolution", "300", "--dims", "r"], "--dims"),
    (["efficientnet_b0", "--family", "--alpha", "1", "--beta", "1", "--gamma", "1"], "--family"),
    (["efficientnet_b0", "--rule", "depth", "--target-macs", "90M"], "cannot be reached"),
    (["efficientnet_b0", "--rule", "resolution", "--target-params", "9M"], "does not change this cost"),
    (["efficientnet_b0", "--dims", "r", "--target-params", "9M"], "does not change this cost"),
    (["efficientnet_b0", "--rule", "depth", "--target-memory", "40MB"], "does not change this cost"),
    (["efficientnet_b0", "--target-macs", "1e30"], "expected at most"),
    (["efficientnet_b0", "--rule", "fast"], "one way"),
    (["efficientnet_b0", "--factor", "0"], "--factor"),
    (["efficientnet_b0", "--factor", "nan"], "--factor"),
    (["efficientnet_b0", "--factor", "1", "--phi", "1"], "one way"),
    (["amoebanet_b", "--rule", "fast", "--phi", "1"], "cannot be scaled"),
    (["amoebanet_b", "--compare"], "cannot be scaled"),
    (["efficientnet_b0", "--compare", "--rule", "fast"], "--compare"),
    (["efficientnet_b0", "--compare", "--target-params", "9M"], "--compare"),
    (["efficientnet_b0", "--compare", "-o", "x.toml"], "-o"),
    (["efficientnet_b0", "--compare", "--no-latency", "--target-macs", "9"], "no rule has a network this small"),
    (["efficientnet_b0", "--compare", "--family"], "--family"),
    (["efficientnet_b0", "--target-macs", "64MiB"], "--target-macs"),
    (["efficientnet_b0", "--phi", "1", "--no-latency"], "--no-latency"),
    (["frontier"], "BASE"),
    (["frontier", "efficientnet_b0"], "--cost"),
    (["frontier", "efficientnet_b0", "--cost", "time"], "'time'"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--points", "1"], "--points"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--from", "2G", "--to", "1G"], "--from"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--to", "5"], "--from"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--from", "2", "--to", "5"], "cannot be reached"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--phi", "1"], "--phi"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "-o", "x.png"], "FILE.svg"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--rule", "fast,fast"], "the same rule twice"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--rule", "fast,"], "--rule: unknown scaling rule"),
    (["frontier", "efficientnet_b0", "--cost", "macs", "--rule", "fast,width", "--alpha", "1.3"], "--alpha"),
    (["frontier", "efficientnet_b0", "--cost", "params", "--rule", "fast,depth", "--from", "1K", "--to", "2K"], "no network is within"),
    (["efficientnet_b0", "--rule", "fast,width", "--phi", "1"], "--rule: unknown scaling rule"),
    (["--phi", "1", "frontier", "efficientnet_b0", "--cost", "macs"], "--phi"),
    (["frontier", "amoebanet_b", "--cost", "latency"], "cannot be scaled"),
], ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "")
def test_wrong_usage_exits_2(effnet, arguments, part):
    result = effnet("scale", *arguments)
    effnet.check_error(result, 2)
    assert part in result.stderr


def test_an_unknown_base_exits_3(effnet):
    effnet.check_error(effnet("scale", "frontier", "eficientnet_b0", "--cost", "macs"), 3)
    effnet.check_error(effnet("scale", "eficientnet_b0", "--compare"), 3)
