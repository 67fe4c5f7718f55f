"""The peer benchmark's arithmetic, its page and its talk with effnet, on made-up figures: no peers, no timing."""

import json
import os
import stat
import sys
import textwrap
import time

import pytest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../..")))
from bench import cases, machine, report, stats  # noqa: E402
from bench.competitors import Effnet  # noqa: E402
from bench.results import Results  # noqa: E402

ZEN4 = {"name": "AMD EPYC", "vendor": "AuthenticAMD", "family": 25, "model": 17, "isa": ["avx2", "avx512f"], "cpus": 2}
PROVENANCE = {"date": "2026-11-25", "commit": "abc1234", "effnet": "effnet 0.1.0", "effnet_sha256": "00", "cpu": ZEN4,
              "os": "Linux 6.1", "python": "3.11.7"}


def turns(*figures):
    return [{"min_ms": low, "median_ms": median, "runs": 10} for low, median in figures]


def result_of(case, ours, peers, **info):
    """macs are such that 10 ms are half of the peak of 100 GFLOP/s."""
    competitors = {"effnet": {"model": case.model, "macs": 250_000_000, "turns": turns(*ours), "info": {
        "isa": "avx512", "workspace_bytes": 3_900_000, "max_rel_error": 2e-6, **info}}}
    for name, (figures, max_rel) in peers.items():
        competitors[name] = {"model": case.peers_model, "macs": 250_000_000, "turns": turns(*figures),
                             "check": {"max_rel": max_rel}}
    return {"case": case.id, "threads": case.threads, "batch": case.batch, "precision": "fp32", "resolution": 224,
            "peak_gflops": {"highest": 100.0, "lowest": 98.0}, "other_load": 0.01, "competitors": competitors, "skipped": {}, "seconds": 1.0,
            "settings": {"starts": 6, "turns": 1, "slice_s": 0.4, "min_runs": 2},
            "versions": {name: "1.0" for name in peers}, "provenance": PROVENANCE}


@pytest.fixture()
def table():
    return cases.load()


@pytest.fixture()
def b0(table):
    return table.select(["efficientnet_b0-t1-n1"])[0]


@pytest.fixture()
def document(table, b0):
    two = table.select(["efficientnet_b0-t2-n1"])[0]
    return {"schema": 1, "cases": {
        b0.id: result_of(b0, [(8.0, 8.4), (7.5, 8.2)], {"ort": ([(12.0, 12.2), (11.4, 11.9)], 0.0),
                                                         "litert": ([(11.25, 13.0)], 1e-6), "ncnn": ([(5.0, 5.0)], 0.5)}),
        two.id: result_of(two, [(4.0, 4.2)], {"ort": ([(6.0, 6.5)], 0.0)})}}


def row_of(page, *starts):
    return next(line for line in page.splitlines() if line.startswith(starts))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_figure_is_the_smallest_minimum_and_the_median_of_medians():
    assert stats.of_turns(turns((3, 5), (2, 9), (4, 6))) == {"min_ms": 2, "median_ms": 6, "runs": 30, "turns": 3}
    assert stats.of_runs([3.0, 1.0, 2.0, 9.0]) == {"min_ms": 1.0, "median_ms": 2.5, "runs": 4}


def test_the_page_tells_that_cores_were_apart(table, document):
    """Two virtual cores on two caches of the host: every network is slower, so the figure stands beside them."""
    two = document["cases"]["efficientnet_b0-t2-n1"]
    assert "one core to the other" not in report.render(document, table)
    two["apart_ns"] = {"highest": 301.0, "lowest": 98.0}
    assert "efficientnet_b0: a line took 98 to 301 ns from one core to the other" in report.render(document, table)
    two["apart_ns"]["highest"] = 120.0
    assert "one core to the other" not in report.render(document, table)


@pytest.mark.parametrize("value, must, goal, expected", [
    (1.5, 1.25, 1.5, "goal"), (1.4999, 1.25, 1.5, "must"), (1.25, 1.25, 1.5, "must"), (1.2499, 1.25, 1.5, "missed"),
    (2.0, None, None, ""), (None, 1.25, 1.5, ""), (1.9, 1.8, None, "must"), (0.9, None, 1.0, "missed")])
def test_verdict(value, must, goal, expected):
    assert stats.verdict(value, must, goal) == expected


@pytest.mark.parametrize("value, expected", [(3.9, "goal"), (4.1, "must"), (6.1, "missed")])
def test_verdict_of_what_should_be_small(value, expected):
    assert stats.verdict_below(value, 6, 4) == expected


def test_the_best_peer_is_of_those_that_computed_the_right_thing(document, b0):
    f = stats.comparison(document["cases"][b0.id])
    assert (f["best"]["min_name"], f["best"]["min_ms"]) == ("litert", 11.25)  # ncnn is faster and wrong
    assert (f["best"]["median_name"], f["best"]["median_ms"]) == ("ort", pytest.approx(12.05))
    assert f["ratio_min"] == pytest.approx(1.5) and f["ratio_median"] == pytest.approx(12.05 / 8.3)
    assert f["ours"]["share"] == pytest.approx(0.5 / 0.75)


def test_share_of_peak_counts_a_multiply_add_as_two():
    assert stats.share_of_peak(250_000_000, 10.0, 100.0) == pytest.approx(0.5)
    assert stats.share_of_peak(250_000_000, 10.0, 0) is None


def test_page(document, table):
    page = report.render(document, table, {"ort": "as it comes"})
    row = cells(row_of(page, "| efficientnet_b0 |"))
    assert row == ["efficientnet_b0", "7.50 / 8.30", "LiteRT 11.25 / 12.05", "**1.50**", "1.45", "1.25", "1.5", "–",
                   "goal (medians: must)", "67 %", "44 %", "2.0e-06", "3.9"]
    assert "ncnn's logits are 5e-01 off" in page and "by medians the best peer is ONNX Runtime" in page
    assert cells(row_of(page, "| B0, two cores against one"))[1:] == ["7.50", "4.00", "**1.88**", "1.98", "1.8", "–", "must"]
    assert f"Of {len(table.cases)} cases 2 were run: 1 reach the goal, 1 what they must, 0 miss it" in page
    assert "commit abc1234, kernels avx512" in page and "(Zen 4)" in page and "Not run: Zen 3, Zen 5." in page
    assert "6 starts × 1 turns of 0.4 s" in page and "- ONNX Runtime: as it comes." in page
    assert "More than one build" not in page and "quiet machine**" not in page


def test_a_case_measured_beside_other_work_says_so(document, table, b0):
    document["cases"][b0.id]["other_load"] = 0.4
    assert "**not a quiet machine**, others used 40 %" in report.render(document, table)


def test_other_load_is_a_share_of_the_machine():
    load = machine.OtherLoad()
    time.sleep(0.5)
    assert 0 <= load.share() <= 1.1  # of each processor a tick of 10 ms before and one after may be counted wrongly


def test_a_page_without_figures_says_so(table):
    assert "Nothing was measured yet" in report.render({"schema": 1, "cases": {}}, table)


@pytest.mark.parametrize("error", [None, 2e-4])
def test_a_fast_answer_that_is_off_or_unchecked_is_wrong(document, table, b0, error):
    document["cases"][b0.id]["competitors"]["effnet"]["info"]["max_rel_error"] = error
    page = report.render(document, table)
    assert cells(row_of(page, "| efficientnet_b0 |"))[8] == "wrong" and "1 with logits that are off" in page


def test_another_cpu_gets_no_verdict(document, table, b0):
    cpu = {**ZEN4, "family": 23, "isa": ["avx2"]}  # Zen 2
    document["cases"] = {b0.id: {**document["cases"][b0.id], "provenance": {**PROVENANCE, "cpu": cpu}}}
    page = report.render(document, table)
    assert cells(row_of(page, "| efficientnet_b0 |"))[5:9] == ["–"] * 4 and "cases 1 were run" not in page
    assert [machine.generation({**ZEN4, "family": f}) for f in (25, 26, 6)] == ["zen4", "zen5", ""]
    assert machine.generation({**ZEN4, "isa": ["avx2"]}) == "zen3"  # the same family, without AVX-512
    assert machine.generation({**ZEN4, "vendor": "GenuineIntel"}) == ""


def test_start_up_memory_and_ablation(document, table):
    document["start_up"] = {"ms": {table.start_up[2]["title"]: {"min_ms": 18.0, "median_ms": 21.0, "runs": 10}},
                            "provenance": PROVENANCE}
    document["memory"] = {"models": {"efficientnet_b0": {"workspace_bytes": 5e6, "peak_rss_bytes": 90e6,
                                                         "weights_bytes": 21e6}}, "provenance": PROVENANCE}
    document["ablation"] = {"efficientnet_b0": {
        "threads": 1, "batch": 1, "macs": 250_000_000, "peak_gflops": {"highest": 100.0, "lowest": 99.0},
        "variants": {"": {"turns": turns((8, 8)), "info": {}}, "fuse_pool": {"turns": turns((9, 10)), "info": {}}},
        "provenance": {**PROVENANCE, "effnet_sha256": "01"}}}
    document["sets"] = {"efficientnet_b0-t1-n1": {
        "model": "efficientnet_b0", "threads": 1, "batch": 1, "macs": 250_000_000,
        "peak_gflops": {"highest": 100.0, "lowest": 99.0},
        "variants": {"avx2": {"turns": turns((10, 12)), "info": {}}, "avx512": {"turns": turns((8, 9)), "info": {}}},
        "provenance": PROVENANCE}}
    page = report.render(document, table)
    assert cells(row_of(page, "| efficientnet_b0 | 1 core | 1 | avx2"))[4:] == ["10.00", "12.00", "50 %", "80 %", "75 %"]
    assert cells(row_of(page, "| `effnet predict"))[1:] == ["18.00", "21.00", "60", "20", "goal"]
    assert cells(row_of(page, "| efficientnet_b0: workspace"))[1:] == ["5.0", "6", "4", "must"]
    assert cells(row_of(page, "| efficientnet_b0: the peak less"))[1:] == ["69.0", "64", "–", "missed"]
    assert cells(row_of(page, "| without fuse_pool"))[1:5] == ["9.00", "10.00", "+12.5 %", "+25.0 %"]
    assert "More than one build" in page


def test_every_row_of_a_table_has_as_many_cells_as_its_header(document, table):
    width = None
    for line in report.render(document, table).splitlines():
        width = None if not line.startswith("|") else width or len(cells(line))
        assert not line.startswith("|") or len(cells(line)) == width, line


def test_table_of_cases(table):
    assert len(table.cases) == 18 and "efficientnet_b1-vs-resnet152-t1-n1" in [case.id for case in table.cases]
    b7 = table.select(["efficientnet_b7-t2-n1"])[0]
    assert (b7.must, b7.limit) == ({"zen3": 1.2, "zen4": 1.25, "zen5": 1.25}, {"zen5": "1.7"})
    assert all(case.must.keys() == case.goal.keys() == {"zen3", "zen4", "zen5"} for case in table.cases)
    assert table.select([], quick=True) and len(table.select(["resnet*"])) == 2
    with pytest.raises(cases.BenchError, match="no such case"):
        table.select(["resnet18*"])


@pytest.mark.parametrize("text", ['[[group]]\ntitle = "x"\nmodels = ["m"]\nmsut = { zen4 = 1 }\n',
                                  '[[group]]\ntitle = "x"\nmodels = ["m", "m"]\n',
                                  '[[scaling]]\ntitle = "x"\nfrom = "a"\nto = "b"\n', 'quick = ["a"]\n'])
def test_a_wrong_table_of_cases_is_refused(tmp_path, text):
    path = tmp_path / "cases.toml"
    path.write_text(text)
    with pytest.raises(cases.BenchError):
        cases.load(path)


def test_results_are_kept_and_belong_to_one_binary_and_its_peers(tmp_path, document, b0):
    path = tmp_path / "results.json"
    results = Results(path)
    assert not results.finished(b0.id, PROVENANCE, {})
    results.document = document
    results.path = str(path)
    results.save()
    again = Results(str(path))
    assert again.document == document
    assert again.finished(b0.id, {**PROVENANCE, "date": "later", "commit": "0"}, {"ort": "1.0"})
    assert not again.finished(b0.id, {**PROVENANCE, "effnet_sha256": "01"}, {"ort": "1.0"})
    assert not again.finished(b0.id, PROVENANCE, {"ort": "1.1"})
    for broken in ("{", "{}", '{"schema": 2, "cases": {}}'):
        path.write_text(broken)
        with pytest.raises(cases.BenchError):
            Results(str(path))


FAKE = """\
    #!/usr/bin/env python3
    import json, os, sys
    a = sys.argv[1:]
    assert os.environ["EFFNET_HOME"] and "EFFNET_THREADS" not in os.environ
    if a[0] == "inspect":
        print(json.dumps({"macs": 5}))
    elif a[1] == "broken":
        sys.exit("effnet: error: no (got a, expected b)")
    else:
        d = {"latency_ms": {"min": 500, "median": 1000}, "runs": 3, "isa": "avx2", "peak_rss_bytes": 9,
             "seconds": float(a[a.index("--seconds") + 1]), "arguments": a}
        if "--check" in a:
            d.update(max_rel_error=1e-6, peak_rss_bytes=99)
        if a[1] == "old":
            del d["runs"]
        print(json.dumps(d))
"""


def test_effnet_as_a_competitor(tmp_path, monkeypatch):
    monkeypatch.setenv("EFFNET_THREADS", "7")
    program = tmp_path / "effnet"
    program.write_text(textwrap.dedent(FAKE))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    cores = machine.cores()[:1]

    def effnet(model):
        return Effnet(str(program), str(tmp_path), model, 1, 1, "fp32", 224, cores, ("fuse_pool", "fuse_scale"))

    ours = effnet("m")
    before = os.sched_getaffinity(0)
    assert ours.macs() == 5
    assert ours.turn(0.4, 2) == {"min_ms": 500.0, "median_ms": 1000.0, "runs": 3} and ours.last_ms == 1000
    assert ours.turn(0.4, 3, check=True)["runs"] == 3
    assert ours.info["peak_rss_bytes"] == 9 and ours.info["max_rel_error"] == 1e-6 and os.sched_getaffinity(0) == before
    seen = ours.run(*ours.arguments, "--seconds", "1")
    assert seen["arguments"][:10] == "bench m --threads 1 --batch 1 --precision fp32 --resolution 224".split()
    assert "fuse_pool,fuse_scale" in seen["arguments"]
    with pytest.raises(cases.BenchError, match="effnet: error: no"):
        effnet("broken").turn(0.1, 1)
    with pytest.raises(cases.BenchError, match="lacks a field"):
        effnet("old").turn(0.1, 1)


def test_provenance_names_the_binary(tmp_path):
    program = tmp_path / "effnet"
    program.write_text("#!/bin/sh\necho effnet 9.9\n")
    program.chmod(0o755)
    made = machine.provenance(str(program))
    assert made["effnet"] == "effnet 9.9" and made["cpu"]["cpus"] and json.loads(json.dumps(made)) == made
