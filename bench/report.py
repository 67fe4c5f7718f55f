"""Turns the results file into docs/results/engine.md. Standard library only, nothing is measured here.

What is asked (must, goal) comes from cases.toml when the page is made, so a changed demand needs no new measurement.
"""

from bench import stats
from bench.machine import generation

GENERATIONS = {"zen3": "Zen 3", "zen4": "Zen 4", "zen5": "Zen 5"}
TITLES = {"effnet": "effnet", "ort": "ONNX Runtime", "openvino": "OpenVINO", "litert": "LiteRT", "ncnn": "ncnn"}


def render(document, table, configurations=None):
    """The page as text. document: of results.Results; table: of cases.load(); configurations: {peer: one line}."""
    cases = document["cases"]
    parts = [_head(document), _summary(cases, table)]
    parts += [_group(group, cases) for group in table.groups]
    parts += [_scaling(table.scaling, cases), _start_up(document.get("start_up"), table.start_up),
              _memory(document.get("memory"), table.memory), _ablation(document.get("ablation", {})),
              _sets(document.get("sets", {})),
              _everybody(table, cases), _method(document, configurations or {})]
    return "\n\n".join(part for part in parts if part) + "\n"


# ---- numbers as text


def ms(value):
    return "–" if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f} %"


def megabytes(value):
    return "–" if value is None else f"{value / 1e6:.1f}"


def asked(value):
    return "–" if value is None else f"{value:g}"


def cores_of(threads):
    return f"{threads} core{'s' if threads > 1 else ''}"


def title(name):
    return TITLES.get(name, name)


def table_of(header, rows):
    """Markdown; the first column is words, the others are figures."""
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


# ---- the parts of the page


def _provenances(document):
    parts = list(document["cases"].values()) + [document.get("start_up"), document.get("memory")]
    return [part["provenance"] for part in parts + list(document.get("ablation", {}).values()) +
            list(document.get("sets", {}).values()) if part]


def _distinct(values):
    return list(dict.fromkeys(values))


def _head(document):
    provenances = _provenances(document)
    lines = ["# The engine and its rivals: what was measured", "",
             "Made by `make bench` ([bench/README.md](../../bench/README.md)); not written by hand.", ""]
    if not provenances:
        return "\n".join(lines + ["Nothing was measured yet."])
    machines = _distinct(f"{p['cpu']['name']}, family {p['cpu']['family']} model {p['cpu']['model']}"
                         f"{' (' + GENERATIONS[g] + ')' if (g := generation(p['cpu'])) else ''}, {p['cpu']['cpus']} CPUs, "
                         f"{' '.join(p['cpu']['isa'])}; {p['os']}" for p in provenances)
    versions = {name: v for result in document["cases"].values() for name, v in result["versions"].items() if v}
    isas = _distinct(result["competitors"]["effnet"].get("info", {}).get("isa", "") for result in document["cases"].values())
    dates = sorted(_distinct(p["date"] for p in provenances))
    rows = [("machine", "; ".join(machines)), ("date", dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"),
            ("effnet", "; ".join(_distinct(f"{p['effnet']}, commit {p['commit']}" for p in provenances)) +
             (f", kernels {', '.join(filter(None, isas))}" if any(isas) else "")),
            ("peers", ", ".join(f"{title(name)} {v}" for name, v in versions.items()) or "none"),
            ("Python (the peers')", ", ".join(_distinct(p["python"] for p in provenances)))]
    text = "\n".join(lines + ["| | |", "| --- | --- |"] + [f"| {key} | {value} |" for key, value in rows])
    if len(_distinct(p["effnet_sha256"] for p in provenances)) > 1:
        text += "\n\n**More than one build of effnet is in this page**; each table row is of one build only."
    others = [name for key, name in GENERATIONS.items() if key not in {generation(p["cpu"]) for p in provenances}]
    return text + f"\n\nNot run: {', '.join(others)}." if others else text


def case_verdict(case, result):
    """(verdict of the ratio of minima, the same of medians, must, goal, limit) for the CPU of the result."""
    g = generation(result["provenance"]["cpu"])
    must, goal, limit = case.must.get(g), case.goal.get(g), case.limit.get(g)
    figures = stats.comparison(result)
    ours = result["competitors"]["effnet"].get("info", {})
    wrong = ours.get("max_rel_error") is None or ours["max_rel_error"] > stats.MAX_REL_ERROR
    verdicts = [stats.verdict(figures[key], must, goal) for key in ("ratio_min", "ratio_median")]
    if wrong and figures["ours"]:
        verdicts = ["wrong" if v else v for v in verdicts]
    return *verdicts, must, goal, limit


def _summary(cases, table):
    measured = [(case, case_verdict(case, cases[case.id])[0]) for case in table.cases if case.id in cases]
    judged = [v for _, v in measured if v]
    if not judged:
        return ""
    count = {v: judged.count(v) for v in ("goal", "must", "missed", "wrong")}
    text = (f"Of {len(table.cases)} cases {len(measured)} were run: {count['goal']} reach the goal, {count['must']} what they "
            f"must, {count['missed']} miss it")
    return text + (f", {count['wrong']} with logits that are off or unchecked." if count["wrong"] else ".")


def _group(group, cases):
    rows, notes = [], []
    for case in group.cases:
        result = cases.get(case.id)
        if not result:
            continue
        f = stats.comparison(result)
        ours, best = f["ours"] or {}, f["best"] or {}
        info = result["competitors"]["effnet"].get("info", {})
        by_min, by_median, must, goal, limit = case_verdict(case, result)
        verdict = by_min or "–"
        if by_median != by_min:
            verdict += f" (medians: {by_median})"
        error = info.get("max_rel_error")
        rows.append([case.model, f"{ms(ours.get('min_ms'))} / {ms(ours.get('median_ms'))}",
                     f"{title(best['min_name'])} {ms(best['min_ms'])} / {ms(best['median_ms'])}" if best else "–",
                     f"**{ratio(f['ratio_min'])}**", ratio(f["ratio_median"]), asked(must), asked(goal), limit or "–", verdict,
                     percent(ours.get("share")), percent(best.get("share")), "–" if error is None else f"{error:.1e}",
                     megabytes(info.get("workspace_bytes"))])
        notes += [f"{case.model}: {title(name)} left out ({why})." for name, why in result["skipped"].items()]
        notes += [f"{case.model}: {title(name)}'s logits are {c['check']['max_rel']:.0e} off and do not count."
                  for name, c in result["competitors"].items() if stats.disagrees(c)]
        if result["other_load"] > stats.QUIET:
            notes.append(f"{case.model}: **not a quiet machine**, others used {percent(result['other_load'])} of it; "
                         "measure again.")
        apart = result.get("apart_ns", {})
        if apart.get("highest", 0) > 1.5 * apart.get("lowest", 0):
            notes.append(f"{case.model}: a line took {apart['lowest']:.0f} to {apart['highest']:.0f} ns from one core to the other: "
                         "at times they had no cache in common.")
        if best and best["median_name"] != best["min_name"]:
            notes.append(f"{case.model}: by medians the best peer is {title(best['median_name'])}.")
    if not rows:
        return ""
    header = ["network", "effnet min / median ms", "best peer min / median ms", "ratio of minima", "of medians", "must",
              "goal", "limit", "verdict", "effnet of peak", "peer of peak", "max rel error", "workspace MB"]
    first = next(case for case in group.cases if case.id in cases)
    result = cases[first.id]
    setting = (f"{first.precision}, {cores_of(first.threads)}, batch {first.batch}"
               + (f", peers run {first.peers_model}" if first.peers_model != first.model else "")
               + f"; peak {result['peak_gflops']['highest']:.0f} GFLOP/s.")
    text = f"## {group.title}\n\n{setting}\n\n" + table_of(header, rows)
    return text + ("\n\n" + "\n".join(f"- {note}" for note in notes) if notes else "")


def _scaling(rows, cases):
    shown = []
    for row in rows:
        ends = [cases.get(row[end]) for end in ("from", "to")]
        if not all(end and end["competitors"]["effnet"]["turns"] for end in ends):
            continue
        each = [stats.of_turns(end["competitors"]["effnet"]["turns"]) for end in ends]
        minima, medians = [[e[key] / end["batch"] for e, end in zip(each, ends)] for key in ("min_ms", "median_ms")]
        value = minima[0] / minima[1]
        shown.append([row["title"], ms(minima[0]), ms(minima[1]), f"**{ratio(value)}**", ratio(medians[0] / medians[1]),
                      asked(row.get("must")), asked(row.get("goal")), stats.verdict(value, row.get("must"), row.get("goal"))])
    if not shown:
        return ""
    header = ["effnet against itself", "from ms an image", "to", "ratio of minima", "of medians", "must", "goal", "verdict"]
    return "## Cores and batches\n\n" + table_of(header, shown)


def _start_up(part, rows):
    if not part:
        return ""
    shown = [[row["title"], ms(f["min_ms"]), ms(f["median_ms"]), asked(row.get("must_ms")), asked(row.get("goal_ms")),
              stats.verdict_below(f["min_ms"], row.get("must_ms"), row.get("goal_ms")) or "–"]
             for row in rows if (f := part["ms"].get(row["title"]))]
    return ("## Start-up\n\nA fresh process from start to exit, page cache warm, all cores.\n\n" +
            table_of(["command", "min ms", "median", "must be under", "goal", "verdict"], shown))


def _memory(part, rows):
    if not part:
        return ""
    shown = []
    for row in rows:
        info = part["models"].get(row["model"])
        if not info or not all(key in info for key in ("workspace_bytes", "peak_rss_bytes", "weights_bytes")):
            continue
        net = info["peak_rss_bytes"] - info["weights_bytes"]
        for what, value, limit in (("workspace of the plan", info["workspace_bytes"], row.get("workspace_mb")),
                                   ("packed weights", info["weights_bytes"], None),
                                   ("the process's peak, as the kernel reports it", info["peak_rss_bytes"], None),
                                   ("the peak less the weights", net, row.get("process_mb"))):
            limit = limit or {}
            shown.append([f"{row['model']}: {what}", megabytes(value), asked(limit.get("must")), asked(limit.get("goal")),
                          stats.verdict_below(value / 1e6, limit.get("must"), limit.get("goal")) or "–"])
    header = ["`effnet bench`, one core, batch 1", "MB (1e6 bytes)", "must be under", "goal", "verdict"]
    return "## Memory\n\n" + table_of(header, shown) if shown else ""


def _ablation(ablations):
    texts = []
    for model, part in ablations.items():
        whole = stats.of_turns(part["variants"][""]["turns"])
        peak, rows = part["peak_gflops"]["highest"], []
        for name, variant in part["variants"].items():
            f = stats.of_turns(variant["turns"])
            share = stats.share_of_peak(part["macs"], f["min_ms"], peak)
            rows.append([f"without {name}" if name else "the whole plan", ms(f["min_ms"]), ms(f["median_ms"]),
                         f"{100 * (f['min_ms'] / whole['min_ms'] - 1):+.1f} %" if name else "–",
                         f"{100 * (f['median_ms'] / whole['median_ms'] - 1):+.1f} %" if name else "–", percent(share),
                         megabytes(variant["info"].get("workspace_bytes"))])
        header = [f"{model}, {cores_of(part['threads'])}, batch {part['batch']}", "min ms", "median", "min longer by",
                  "median longer by", "of peak", "workspace MB"]
        texts.append(table_of(header, rows))
    if not texts:
        return ""
    return ("## What each technique brings\n\nThe plan with one switch off, interleaved with the whole plan.\n\n" +
            "\n\n".join(texts))


def _sets(measured):
    rows = []
    for part in measured.values():
        best = stats.of_turns(list(part["variants"].values())[-1]["turns"])
        for name, variant in part["variants"].items():
            f = stats.of_turns(variant["turns"])
            share = stats.share_of_peak(part["macs"], f["min_ms"], part["peak_gflops"]["highest"])
            rows.append([part["model"], cores_of(part["threads"]), str(part["batch"]), name, ms(f["min_ms"]), ms(f["median_ms"]),
                         percent(share), percent(best["min_ms"] / f["min_ms"]), percent(best["median_ms"] / f["median_ms"])])
    header = ["network", "cores", "batch", "set", "min ms", "median", "of peak", "speed beside the best set, minima", "medians"]
    return "## Instruction sets\n\nOne binary, its sets in turn in one run.\n\n" + table_of(header, rows) if rows else ""


def _everybody(table, cases):
    measured = [case for case in table.cases if case.id in cases]
    if not measured:
        return ""
    names = _distinct(name for case in measured for name in cases[case.id]["competitors"])
    rows = []
    for case in measured:
        result, row = cases[case.id], [case.id]
        for name in names:
            competitor = result["competitors"].get(name)
            if competitor and competitor["turns"]:
                f = stats.of_turns(competitor["turns"])
                row.append(f"{ms(f['min_ms'])} / {ms(f['median_ms'])}")
            else:
                row.append("–")
        peak = result["peak_gflops"]
        rows.append(row + [f"{peak['lowest']:.0f}–{peak['highest']:.0f}", percent(result["other_load"]),
                           result["provenance"]["commit"]])
    return ("## Everybody\n\nMinimum / median in ms of a whole batch. The peak's lowest and highest reading and the share of "
            "all processors that others used tell how quiet the machine was.\n\n" +
            table_of(["case", *map(title, names), "peak GFLOP/s", "others", "commit"], rows))


def _method(document, configurations):
    lines = [
        "## How", "",
        "- Every competitor is a process of its own, pinned to the same cores. Turns go round robin from a rotating start; "
        "after one unmeasured run a turn lasts its seconds, and at least its runs.",
        "- All are started afresh several times; effnet is a fresh process each turn.",
        "- A minimum is over all turns, a median is the median of the turns' medians. Of peak: 2 × MACs / minimum over the "
        "highest peak measured in the case, one reading before each turn.",
        f"- Max rel error: the largest difference between effnet's logits in the timed session and the reference executor's, "
        f"over the largest logit; above {stats.MAX_REL_ERROR:g} a case is *wrong*. Peers are held against ONNX Runtime.",
        "- Verdict: by the ratio of minima, *goal*, *must* or *missed*; where the medians say otherwise, that too."]
    settings = _distinct(f"{s['starts']} starts × {s['turns']} turns of {s['slice_s']:g} s, at least {s['min_runs']} runs"
                         for s in (result["settings"] for result in document["cases"].values()))
    if settings:
        lines.append(f"- Here: {'; '.join(settings)}.")
    lines += [f"- {title(name)}: {text}." for name, text in configurations.items()]
    return "\n".join(lines)
