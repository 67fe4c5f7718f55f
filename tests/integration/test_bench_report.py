"""The benchmark's statistics, its page and its calls of effnet, on invented figures: no peers, no timing."""

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
    """One case. With these MACs, 10 ms are half of the peak of 100 GFLOP/s."""
    competitors = {"effnet": {"model": case.model, "macs": 250_000_000, "turns": turns(*ours), "info": {
        "isa": "avx512", "workspace_bytes": 3_900_000, "max_rel_error": 2e-6, **info}}}
    for name, (figures, max_rel) in peers.items():
        competitors[name] = {"model": case.peers_model, "macs": 250_000_000, "turns": turns(*figures),
                             "check": {"max_rel": max_rel}}
    return {"case": case.id, "threads": case.threads, "batch": case.batch, "precision": "fp32", "resolution": 224,
            "peak_gflops": {"highest": 100.0, "lowest": 98.0}, "other_load": 0.01, "competitors": competitors,
            "skipped": {}, "seconds": 1.0,
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
                                                         "litert": ([(11.25, 13.0)], 1e-6),
                                                         "ncnn": ([(5.0, 5.0)], 0.5)}),
        two.id: result_of(two, [(4.0, 4.2)], {"ort": ([(6.0, 6.5)], 0.0)})}}


def row_of(page, *starts):
    return next(line for line in page.splitlines() if line.startswith(starts))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_statistics_are_the_smallest_minimum_and_the_median_of_medians():
    assert stats.of_turns(turns((3, 5), (2, 9), (4, 6))) == {"min_ms": 2, "median_ms": 6, "runs": 30, "turns": 3}
    assert stats.of_runs([3.0, 1.0, 2.0, 9.0]) == {"min_ms": 1.0, "median_ms": 2.5, "runs": 4}


def test_page_reports_cores_without_a_common_cache(table, document):
    """Two virtual cores that do not share a cache of the host: all networks are slower, so the page reports it."""
    two = document["cases"]["efficientnet_b0-t2-n1"]
    assert "one core to the other" not in report.render(document, table)
    two["apart_ns"] = {"highest": 301.0, "lowest": 98.0}
    assert "efficientnet_b0: a cache line took 98 to 301 ns from one core to" in report.render(document, table)
    two["apart_ns"]["highest"] = 120.0
    assert "one core to the other" not in report.render(document, table)


@pytest.mark.parametrize("error, expected", [(None, False), (1e-4, True), (1.001e-4, False), (0.0, True)])
def test_logits_are_right_up_to_the_limit(error, expected):
    assert stats.has_right_logits({"info": {"max_rel_error": error}}) is expected
    assert not stats.has_right_logits({})


def test_fastest_peer_is_one_with_right_logits(document, b0):
    f = stats.comparison(document["cases"][b0.id])
    assert (f["best"]["min_name"], f["best"]["min_ms"]) == ("litert", 11.25)  # ncnn is faster, but its logits are wrong
    assert (f["best"]["median_name"], f["best"]["median_ms"]) == ("ort", pytest.approx(12.05))
    assert f["ratio_min"] == pytest.approx(1.5) and f["ratio_median"] == pytest.approx(12.05 / 8.3)
    assert f["ours"]["share"] == pytest.approx(0.5 / 0.75)


def test_share_of_peak_counts_a_multiply_add_as_two_operations():
    assert stats.share_of_peak(250_000_000, 10.0, 100.0) == pytest.approx(0.5)
    assert stats.share_of_peak(250_000_000, 10.0, 0) is None


def test_page(document, table):
    page = report.render(document, table, {"ort": "as it comes"})
    row = cells(row_of(page, "| efficientnet_b0 |"))
    assert row == ["efficientnet_b0", "7.50 / 8.30", "LiteRT 11.25 / 12.05", "**1.50**", "1.45", "67 %", "44 %",
                   "2.0e-06", "3.9"]
    assert "ncnn is ignored, because its logits differ from ONNX Runtime's by 5e-01" in page
    assert "the peer with the lowest median is ONNX Runtime" in page
    assert cells(row_of(page, "| B0, two cores against one"))[1:] == ["7.50", "4.00", "**1.88**", "1.98"]
    assert f"2 of the {len(table.cases)} cases of cases.toml were measured. In 2 of the 2 cases" in page
    assert "needs 1.50 (efficientnet_b0-t1-n1) to 1.50 (efficientnet_b0-t2-n1) times effnet's time." in page
    assert "commit abc1234, kernels avx512" in page and "(Zen 4)" in page and "Not measured on: Zen 3, Zen 5." in page
    assert cells(row_of(page, "| command"))[1] == "`make bench`" and cells(row_of(page, "| date"))[1] == "2026-11-25"
    assert "6 starts × 1 turns of 0.4 s" in page and "- ONNX Runtime: as it comes." in page
    assert "more than one build" not in page and "not idle" not in page


def test_page_reports_load_by_other_processes(document, table, b0):
    document["cases"][b0.id]["other_load"] = 0.4
    assert "**the machine was not idle**. Other processes used 40 %" in report.render(document, table)


def test_other_load_is_a_share_of_the_machine():
    load = machine.OtherLoad()
    time.sleep(0.5)
    assert 0 <= load.share() <= 1.1  # one tick of 10 ms before and one after may be miscounted per processor


def test_page_without_figures_says_so(table):
    assert "Nothing has been measured yet" in report.render({"schema": 1, "cases": {}}, table)


@pytest.mark.parametrize("error", [None, 2e-4])
def test_case_with_wrong_or_unchecked_logits_has_no_ratio(document, table, b0, error):
    document["cases"][b0.id]["competitors"]["effnet"]["info"]["max_rel_error"] = error
    page = report.render(document, table)
    assert cells(row_of(page, "| efficientnet_b0 |"))[3:5] == ["**–**", "–"]
    assert "efficientnet_b0: no ratio, because effnet's logits" in page
    assert "In 1 case effnet's logits are wrong or were not compared" in page and "In 1 of the 1 cases" in page


def test_page_names_known_generations_of_cpus_only(document, table, b0):
    cpu = {**ZEN4, "family": 23, "isa": ["avx2"]}  # Zen 2
    document["cases"] = {b0.id: {**document["cases"][b0.id], "provenance": {**PROVENANCE, "cpu": cpu}}}
    page = report.render(document, table)
    assert cells(row_of(page, "| efficientnet_b0 |"))[3:5] == ["**1.50**", "1.45"]
    assert "family 23 model 17, 2 CPUs" in page and "Not measured on: Zen 3, Zen 4, Zen 5." in page
    assert [machine.generation({**ZEN4, "family": f}) for f in (25, 26, 6)] == ["zen4", "zen5", ""]
    assert machine.generation({**ZEN4, "isa": ["avx2"]}) == "zen3"  # the same family, without AVX-512
    assert machine.generation({**ZEN4, "vendor": "GenuineIntel"}) == ""


def test_page_has_start_up_memory_ablation_and_sets(document, table):
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
    row = cells(row_of(page, "| efficientnet_b0 | 1 core | 1 | avx2"))
    assert row[4:] == ["10.00", "12.00", "50 %", "80 %", "75 %"]
    assert "avx2 has 80 % to 80 % of the speed of avx512" in page
    assert cells(row_of(page, "| command | `make bench`"))[1] == (
        "`make bench`; `bench/run ablation --models efficientnet_b0 --without fuse_pool`; "
        "`bench/run sets --models efficientnet_b0 --sets avx2 avx512`")
    assert cells(row_of(page, "| `effnet predict"))[1:] == ["18.00", "21.00"]
    assert cells(row_of(page, "| efficientnet_b0: workspace"))[1:] == ["5.0"]
    assert cells(row_of(page, "| efficientnet_b0: packed weights"))[1:] == ["21.0"]
    assert cells(row_of(page, "| efficientnet_b0: peak memory of the process"))[1:] == ["90.0"]
    assert cells(row_of(page, "| efficientnet_b0: peak memory without"))[1:] == ["69.0"]
    assert cells(row_of(page, "| without fuse_pool"))[1:5] == ["9.00", "10.00", "+12.5 %", "+25.0 %"]
    assert "of more than one build of effnet" in page


def test_all_rows_of_a_table_have_as_many_cells_as_its_header(document, table):
    width = None
    for line in report.render(document, table).splitlines():
        width = None if not line.startswith("|") else width or len(cells(line))
        assert not line.startswith("|") or len(cells(line)) == width, line


def test_table_of_cases(table):
    assert len(table.cases) == 18 and "efficientnet_b1-vs-resnet152-t1-n1" in [case.id for case in table.cases]
    b7 = table.select(["efficientnet_b7-t2-n1"])[0]
    assert (b7.model, b7.peers_model, b7.threads, b7.batch) == ("efficientnet_b7", "efficientnet_b7", 2, 1)
    assert (b7.precision, b7.resolution) == ("fp32", None)
    assert table.select([], quick=True) and len(table.select(["resnet*"])) == 2
    with pytest.raises(cases.BenchError, match="no such case"):
        table.select(["resnet18*"])


@pytest.mark.parametrize("text", ['[[group]]\ntitle = "x"\nmodels = ["m"]\ntreads = 1\n',
                                  '[[group]]\ntitle = "x"\nmodels = ["m", "m"]\n',
                                  '[[scaling]]\ntitle = "x"\nfrom = "a"\nto = "b"\n', 'quick = ["a"]\n'])
def test_invalid_table_of_cases_is_refused(tmp_path, text):
    path = tmp_path / "cases.toml"
    path.write_text(text)
    with pytest.raises(cases.BenchError):
        cases.load(path)


def test_results_belong_to_one_binary_and_its_peers(tmp_path, document, b0):
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
    for corrupt in ("{", "{}", '{"schema": 2, "cases": {}}'):
        path.write_text(corrupt)
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


def test_provenance_has_the_version_of_the_binary(tmp_path):
    program = tmp_path / "effnet"
    program.write_text("#!/bin/sh\necho effnet 9.9\n")
    program.chmod(0o755)
    made = machine.provenance(str(program))
    assert made["effnet"] == "effnet 9.9" and made["cpu"]["cpus"] and json.loads(json.dumps(made)) == made
