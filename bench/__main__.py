"""The command line: python -m bench [measure|ablation|sets|report|list].

bench/run starts it in the peers' Python environment.
"""

import argparse
import os
import sys

from bench import cases, machine, report, stats
from bench.cases import BenchError
from bench.results import Results, same_run

BUILD = os.path.join(machine.ROOT, "build", "bench")


def say(*words):
    print(*words, flush=True)


def write_page(results, table, path):
    try:
        from bench.engines import ENGINES
        configurations = {name: engine.configuration for name, engine in ENGINES.items()}
    except ImportError:  # no numpy: the page can be written without the peers' environment
        configurations = {}
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".tmp", "w") as file:
        file.write(report.render(results.document, table, configurations))
    os.replace(path + ".tmp", path)
    say(f"bench: {path}")


def make_bench(args):
    """Imports numpy's users here, because only measuring needs numpy."""
    from bench.measure import Bench, Settings
    cores = args.cores or machine.cores()
    return Bench(args.effnet, args.work, cores, Settings(args.starts, args.turns, args.slice, args.min_runs))


def line_of(result):
    f = stats.comparison(result)
    ours, best = f["ours"], f["best"]
    error = result["competitors"]["effnet"]["info"].get("max_rel_error")
    text = f"effnet {report.ms(ours['min_ms'])} ms ({report.percent(ours['share'])} of peak)"
    if best:
        text += (f", {report.title(best['min_name'])} {report.ms(best['min_ms'])} ms: ratio "
                 f"{report.ratio(f['ratio_min'])}, of medians {report.ratio(f['ratio_median'])}")
    text += f", error {error:.1e}" if error is not None else ""
    load = result["other_load"]
    noise = f", other processes used {report.percent(load)}" if load > stats.QUIET else ""
    return f"{text}{noise}  [{result['seconds']:.0f} s]"


def measure(args, table):
    bench, results = make_bench(args), Results(args.results)
    failed = []
    peers = {name: machine.package_version(package_of(name)) for name in args.peers if name != "none"}
    for case in table.select(args.cases, args.quick):
        if not args.again and results.finished(case.id, bench.provenance, peers):
            say(f"{case.id:<28} already measured (--again measures it again)")
            continue
        try:
            result = bench.case(case, list(peers))
        except BenchError as error:  # go on with the other cases
            failed.append(case.id)
            say(f"{case.id:<28} {error}")
            continue
        say(f"{case.id:<28} {line_of(result)}")
        for name, why in result["skipped"].items():
            say(f"{'':<28} {report.title(name)} was not measured: {why}")
        results.document["cases"][case.id] = result
        results.save()
    for part, run, rows in (("start_up", bench.start_up, table.start_up), ("memory", bench.memory, table.memory)):
        stored = results.document.get(part)
        if not args.cases and (args.again or not stored or not same_run(stored["provenance"], bench.provenance)):
            say(part.replace("_", "-"))
            results.document[part] = run(rows)
            results.save()
    if results.document["cases"]:
        write_page(results, table, args.page)
    if failed:
        raise BenchError(f"not measured: {', '.join(failed)}")


def package_of(name):
    from bench.engines import ENGINES
    if name not in ENGINES:
        raise BenchError(f"no such peer (got {name}, expected one of {', '.join(ENGINES)})")
    return ENGINES[name].package


def ablation(args, table):
    bench, results = make_bench(args), Results(args.results)
    for model in args.models:
        part = bench.ablation(model, args.without, args.threads, args.batch, args.starts * args.turns)
        results.document.setdefault("ablation", {})[model] = part
        results.save()
        for name, variant in part["variants"].items():
            say(f"{model:<20} {'without ' + name if name else 'whole plan':<40} "
                f"{report.ms(stats.of_turns(variant['turns'])['min_ms'])} ms")
    write_page(results, table, args.page)


def sets(args, table):
    bench, results = make_bench(args), Results(args.results)
    for model in args.models:
        part = bench.sets(model, args.sets, args.threads, args.batch, args.starts * args.turns)
        results.document.setdefault("sets", {})[f"{model}-t{args.threads}-n{args.batch}"] = {"model": model, **part}
        results.save()
        for name, variant in part["variants"].items():
            say(f"{model:<20} {name:<10} {report.ms(stats.of_turns(variant['turns'])['min_ms'])} ms")
    write_page(results, table, args.page)


def show_report(args, table):
    write_page(Results(args.results), table, args.page)


def list_cases(args, table):
    for case in table.select(args.cases, args.quick):
        say(case.id)


def parser():
    p = argparse.ArgumentParser(prog="bench/run",
                                description="Compares the speed of effnet and other engines on this machine.",
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.set_defaults(cases=[], quick=False)
    commands = p.add_subparsers(dest="command", required=True)

    def command(name, run, text):
        c = commands.add_parser(name, help=text, description=text,
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        c.set_defaults(run=run)
        return c

    def files(c):
        c.add_argument("--results", default=os.path.join(BUILD, "results.json"), help="file of the measured figures")
        c.add_argument("--page", default=os.path.join(machine.ROOT, "docs", "results", "engine.md"),
                       help="the page to write")

    def which(c):
        c.add_argument("--cases", nargs="+", default=[],
                       help="ids, or patterns such as 'efficientnet_b?-t1-*'; default: all cases of cases.toml, "
                       "start-up and memory")
        c.add_argument("--quick", action="store_true", help="only the cases that cases.toml lists as quick")

    def turns(c):
        c.add_argument("--effnet", default=os.path.join(machine.ROOT, "build", "core", "bin", "effnet"),
                       help="the program to measure")
        c.add_argument("--work", default=os.path.join(BUILD, "work"),
                       help="folder of model files (4 GB for all cases) and of effnet's home")
        c.add_argument("--cores", nargs="+", type=int,
                       help="processors to pin to; a case with N threads uses the first N")
        c.add_argument("--starts", type=int, default=6, help="number of times that all processes are restarted")
        c.add_argument("--turns", type=int, default=1, help="turns of each competitor after a restart")
        c.add_argument("--slice", type=float, default=0.4, help="minimum length of a turn in seconds")
        c.add_argument("--min-runs", type=int, default=2, help="minimum number of runs in a turn")

    c = command("measure", measure, "measure cases and write the page (the default)")
    which(c), files(c), turns(c)
    c.add_argument("--peers", nargs="+", default=["ort", "openvino", "litert", "ncnn"],
                   help="engines to compare with; none: effnet alone")
    c.add_argument("--again", action="store_true",
                   help="measure also the cases that the results file already has for this binary, CPU and peers")
    c = command("ablation", ablation, "measure effnet with options of its plan switched off, and write the page")
    c.add_argument("--models", nargs="+", default=["efficientnet_b0", "efficientnet_b4"])
    c.add_argument("--without", nargs="+", required=True,
                   help="options of `effnet bench --without`, each switched off alone; a,b switches off both together")
    c.add_argument("--threads", type=int, default=1)
    c.add_argument("--batch", type=int, default=1)
    files(c), turns(c)
    c = command("sets", sets, "compare effnet's instruction sets, and write the page")
    c.add_argument("--models", nargs="+",
                   default=["efficientnet_b0", "efficientnet_b4", "efficientnet_lite0", "mobilenet_v2", "resnet50"])
    c.add_argument("--sets", nargs="+", required=True, help="names for `effnet bench --isa`, the best one last")
    c.add_argument("--threads", type=int, default=1)
    c.add_argument("--batch", type=int, default=1)
    files(c), turns(c)
    files(command("report", show_report, "write the page from the results file"))
    which(command("list", list_cases, "print the cases"))
    return p


def main(arguments):
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["measure", *arguments]
    args = parser().parse_args(arguments)
    try:
        args.run(args, cases.load())
    except BenchError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the finished cases are saved", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
