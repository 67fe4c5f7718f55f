"""Writes docs/results/engine.md from the results file. Standard library only; nothing is measured here."""

from bench import stats
from bench.machine import generation

GENERATIONS = {"zen3": "Zen 3", "zen4": "Zen 4", "zen5": "Zen 5"}
TITLES = {"effnet": "effnet", "ort": "ONNX Runtime", "openvino": "OpenVINO", "litert": "LiteRT", "ncnn": "ncnn"}


def render(document, table, configurations=None):
    """The page as text.

    document: of results.Results; table: of cases.load(); configurations: {peer: one line on its settings}."""
    cases = document["cases"]
    parts = [_head(document), _reading(cases, table)]
    parts += [_group(group, cases) for group in table.groups]
    parts += [_scaling(table.scaling, cases), _start_up(document.get("start_up"), table.start_up),
              _memory(document.get("memory"), table.memory), _ablation(document.get("ablation", {})),
              _sets(document.get("sets", {})),
              _all_competitors(table, cases), _method(document, configurations or {})]
    return "\n\n".join(part for part in parts if part) + "\n"


# ---- formatted numbers


def ms(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f} %"


def megabytes(value):
    return "–" if value is None else f"{value / 1e6:.1f}"


def cores_of(threads):
    return f"{threads} core{'s' if threads > 1 else ''}"


def title(name):
    return TITLES.get(name, name)


def table_of(header, rows):
    """A Markdown table: the first column is aligned left, the others right."""
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


# ---- sections of the page


def _provenances(document):
    parts = list(document["cases"].values()) + [document.get("start_up"), document.get("memory")]
    return [part["provenance"] for part in parts + list(document.get("ablation", {}).values()) +
            list(document.get("sets", {}).values()) if part]


def _distinct(values):
    return list(dict.fromkeys(values))


def _commands(document):
    """The commands that make the figures of the document."""
    models = {}  # {(command, options): models}
    parts = [("ablation --models", "--without", model, part) for model, part in document.get("ablation", {}).items()]
    parts += [("sets --models", "--sets", part["model"], part) for part in document.get("sets", {}).values()]
    for command, option, model, part in parts:
        options = f"{option} {' '.join(filter(None, part['variants']))}"
        options += "".join(f" --{key} {part[key]}" for key in ("threads", "batch") if part[key] != 1)
        models.setdefault((command, options), []).append(model)
    return (["make bench"] if document["cases"] else []) + [
        f"bench/run {command} {' '.join(names)} {options}" for (command, options), names in models.items()]


def _head(document):
    provenances = _provenances(document)
    only_sets = document.get("sets") and not document["cases"]
    heading = "Inference speed by instruction set" if only_sets else "Inference speed of effnet and other engines"
    lines = [f"# {heading}", "",
             "Written by [bench](../../bench/README.md). Do not edit.", ""]
    if not provenances:
        return "\n".join(lines + ["Nothing has been measured yet."])
    machines = _distinct(f"{p['cpu']['name']}, family {p['cpu']['family']} model {p['cpu']['model']}"
                         f"{' (' + GENERATIONS[g] + ')' if (g := generation(p['cpu'])) else ''}, "
                         f"{p['cpu']['cpus']} CPUs, {' '.join(p['cpu']['isa'])}; {p['os']}" for p in provenances)
    versions = {name: v for result in document["cases"].values() for name, v in result["versions"].items() if v}
    isas = _distinct(result["competitors"]["effnet"].get("info", {}).get("isa", "")
                     for result in document["cases"].values())
    dates = sorted(_distinct(p["date"] for p in provenances))
    rows = [("date", dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"), ("machine", "; ".join(machines)),
            ("command", "; ".join(f"`{command}`" for command in _commands(document))),
            ("effnet", "; ".join(_distinct(f"{p['effnet']}, commit {p['commit']}" for p in provenances)) +
             (f", kernels {', '.join(filter(None, isas))}" if any(isas) else "")),
            ("peers", ", ".join(f"{title(name)} {v}" for name, v in versions.items()) or "none"),
            ("Python", ", ".join(_distinct(p["python"] for p in provenances)))]
    text = "\n".join(lines + ["| | |", "| --- | --- |"] + [f"| {key} | {value} |" for key, value in rows])
    if len(_distinct(p["effnet_sha256"] for p in provenances)) > 1:
        text += "\n\n**The figures of this page are of more than one build of effnet.** Each table row is of one build."
    others = [name for key, name in GENERATIONS.items() if key not in {generation(p["cpu"]) for p in provenances}]
    return text + f"\n\nNot measured on: {', '.join(others)}." if others else text


def _reading(cases, table):
    """One paragraph: how many cases were measured, and the range of the ratios of minima."""
    measured = [case for case in table.cases if case.id in cases]
    if not measured:
        return ""
    sentences = [f"{len(measured)} of the {len(table.cases)} cases of cases.toml were measured."]
    ratios = {case.id: stats.comparison(cases[case.id])["ratio_min"] for case in measured
              if case.model == case.peers_model}
    ratios = sorted((value, id) for id, value in ratios.items() if value is not None)
    if ratios:
        (low, slowest), (high, fastest) = ratios[0], ratios[-1]
        faster = sum(value > 1 for value, _ in ratios)
        sentences.append(f"In {faster} of the {len(ratios)} cases in which all run the same network, effnet's minimum "
                         f"is below that of every peer. The fastest peer needs {ratio(low)} ({slowest}) to "
                         f"{ratio(high)} ({fastest}) times effnet's time.")
    wrong = sum(not stats.has_right_logits(cases[case.id]["competitors"]["effnet"]) for case in measured)
    if wrong:
        sentences.append(f"In {wrong} case{'s' if wrong > 1 else ''} effnet's logits are wrong or were not compared, "
                         "so there is no ratio.")
    return " ".join(sentences)


def _group(group, cases):
    rows, notes = [], []
    for case in group.cases:
        result = cases.get(case.id)
        if not result:
            continue
        f = stats.comparison(result)
        ours, best = f["ours"] or {}, f["best"] or {}
        info = result["competitors"]["effnet"].get("info", {})
        error = info.get("max_rel_error")
        rows.append([case.model, f"{ms(ours.get('min_ms'))} / {ms(ours.get('median_ms'))}",
                     f"{title(best['min_name'])} {ms(best['min_ms'])} / {ms(best['median_ms'])}" if best else "–",
                     f"**{ratio(f['ratio_min'])}**", ratio(f["ratio_median"]), percent(ours.get("share")),
                     percent(best.get("share")), "–" if error is None else f"{error:.1e}",
                     megabytes(info.get("workspace_bytes"))])
        if f["ours"] and not stats.has_right_logits(result["competitors"]["effnet"]):
            notes.append(f"{case.model}: no ratio, because effnet's logits were not compared with the reference "
                         f"executor's or differ by more than {stats.MAX_REL_ERROR:g}.")
        notes += [f"{case.model}: {title(name)} was not measured ({why})." for name, why in result["skipped"].items()]
        notes += [f"{case.model}: {title(name)} is ignored, because its logits differ from ONNX Runtime's by "
                  f"{c['check']['max_rel']:.0e}." for name, c in result["competitors"].items() if stats.disagrees(c)]
        if result["other_load"] > stats.QUIET:
            notes.append(f"{case.model}: **the machine was not idle**. Other processes used "
                         f"{percent(result['other_load'])} of it; measure again.")
        apart = result.get("apart_ns", {})
        if apart.get("highest", 0) > 1.5 * apart.get("lowest", 0):
            notes.append(f"{case.model}: a cache line took {apart['lowest']:.0f} to {apart['highest']:.0f} ns from one "
                         "core to the other, so at times the two cores did not share a cache.")
        if best and best["median_name"] != best["min_name"]:
            notes.append(f"{case.model}: the peer with the lowest median is {title(best['median_name'])}.")
    if not rows:
        return ""
    header = ["network", "effnet min / median ms", "fastest peer min / median ms", "ratio of minima",
              "ratio of medians", "effnet, share of peak", "peer, share of peak", "max relative error", "workspace MB"]
    first = next(case for case in group.cases if case.id in cases)
    result = cases[first.id]
    setting = (f"{first.precision}, {cores_of(first.threads)}, batch {first.batch}"
               + (f", the peers run {first.peers_model}" if first.peers_model != first.model else "")
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
        shown.append([row["title"], ms(minima[0]), ms(minima[1]), f"**{ratio(value)}**",
                      ratio(medians[0] / medians[1])])
    if not shown:
        return ""
    header = ["effnet alone", "first, ms per image", "second, ms per image", "ratio of minima", "ratio of medians"]
    return "## Cores and batches\n\n" + table_of(header, shown)


def _start_up(part, rows):
    if not part:
        return ""
    shown = [[row["title"], ms(f["min_ms"]), ms(f["median_ms"])] for row in rows if (f := part["ms"].get(row["title"]))]
    return ("## Start-up\n\nA new process from start to exit, on all cores, with its files in the page cache.\n\n" +
            table_of(["command", "min ms", "median ms"], shown))


def _memory(part, rows):
    if not part:
        return ""
    shown = []
    for row in rows:
        info = part["models"].get(row["model"])
        if not info or not all(key in info for key in ("workspace_bytes", "peak_rss_bytes", "weights_bytes")):
            continue
        without_weights = info["peak_rss_bytes"] - info["weights_bytes"]
        for what, value in (("workspace of the plan", info["workspace_bytes"]),
                            ("packed weights", info["weights_bytes"]),
                            ("peak memory of the process, as the kernel reports it", info["peak_rss_bytes"]),
                            ("peak memory without the packed weights", without_weights)):
            shown.append([f"{row['model']}: {what}", megabytes(value)])
    header = ["`effnet bench`, one core, batch 1", "MB (1e6 bytes)"]
    return "## Memory\n\n" + table_of(header, shown) if shown else ""


def _ablation(ablations):
    texts = []
    for model, part in ablations.items():
        whole = stats.of_turns(part["variants"][""]["turns"])
        peak, rows = part["peak_gflops"]["highest"], []
        for name, variant in part["variants"].items():
            f = stats.of_turns(variant["turns"])
            share = stats.share_of_peak(part["macs"], f["min_ms"], peak)
            rows.append([f"without {name}" if name else "whole plan", ms(f["min_ms"]), ms(f["median_ms"]),
                         f"{100 * (f['min_ms'] / whole['min_ms'] - 1):+.1f} %" if name else "–",
                         f"{100 * (f['median_ms'] / whole['median_ms'] - 1):+.1f} %" if name else "–", percent(share),
                         megabytes(variant["info"].get("workspace_bytes"))])
        header = [f"{model}, {cores_of(part['threads'])}, batch {part['batch']}", "min ms", "median ms",
                  "change of min", "change of median", "share of peak", "workspace MB"]
        texts.append(table_of(header, rows))
    if not texts:
        return ""
    return ("## Plan options switched off\n\nThe plan with one option off, measured in turns with the whole plan.\n\n" +
            "\n\n".join(texts))


def _sets(measured):
    rows, speeds = [], {}  # speeds: {(set, last set): relative speeds}
    for part in measured.values():
        last = list(part["variants"])[-1]
        best = stats.of_turns(part["variants"][last]["turns"])
        for name, variant in part["variants"].items():
            f = stats.of_turns(variant["turns"])
            if name != last:
                speeds.setdefault((name, last), []).append(best["min_ms"] / f["min_ms"])
            share = stats.share_of_peak(part["macs"], f["min_ms"], part["peak_gflops"]["highest"])
            rows.append([part["model"], cores_of(part["threads"]), str(part["batch"]), name, ms(f["min_ms"]),
                         ms(f["median_ms"]), percent(share), percent(best["min_ms"] / f["min_ms"]),
                         percent(best["median_ms"] / f["median_ms"])])
    if not rows:
        return ""
    header = ["network", "cores", "batch", "set", "min ms", "median ms", "share of peak",
              "speed relative to the last set, by minima", "by medians"]
    reading = "".join(f" By minima, {name} has {percent(min(values))} to {percent(max(values))} of the speed of {last}."
                      for (name, last), values in speeds.items())
    return (f"## Instruction sets\n\nOne binary; its instruction sets take turns in one run.{reading}\n\n" +
            table_of(header, rows))


def _all_competitors(table, cases):
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
    return ("## All competitors\n\nMinimum / median in ms of a whole batch. Two columns show how idle the machine was: "
            "the lowest and highest measured peak rate, and the share of all processors that other processes used.\n\n"
            + table_of(["case", *map(title, names), "peak GFLOP/s", "other processes", "commit"], rows))


def _method(document, configurations):
    lines = [
        "## Method", "",
        "- Each competitor is a process of its own, pinned to the same cores. Competitors take turns; the first one of "
        "a round rotates. A turn begins with one run that is not measured. It has a minimum time and a "
        "minimum number of runs.",
        "- All processes are restarted several times. effnet is a new process in each turn.",
        "- A minimum is over all turns. A median is the median of the turns' medians. Share of peak: 2 × MACs / "
        "minimum, divided by the highest peak rate measured in the case. The peak rate is measured before each turn. A "
        "share above 100 % is possible, because Winograd's algorithm needs fewer multiplications than are counted."]
    if document["cases"]:
        lines.append(
            "- Max relative error: the largest difference between effnet's logits in the measured session and the "
            f"reference executor's, divided by the largest logit. Above {stats.MAX_REL_ERROR:g} no ratio is given. The "
            "peers' logits are compared with ONNX Runtime's.")
    settings = _distinct(f"{s['starts']} starts × {s['turns']} turns of {s['slice_s']:g} s, at least {s['min_runs']} "
                         "runs" for s in (result["settings"] for result in document["cases"].values()))
    if settings:
        lines.append(f"- Settings: {'; '.join(settings)}.")
    peers = {name for result in document["cases"].values() for name in result["versions"]}
    lines += [f"- {title(name)}: {text}." for name, text in configurations.items() if name in peers]
    return "\n".join(lines)
