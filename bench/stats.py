"""What is done with numbers: turns to one figure, figures to ratios, ratios to verdicts. Standard library only.

A turn is {"min_ms", "median_ms", "runs"}. A competitor's minimum is the smallest of its turns, its median the median of
its turns' medians: the same statistic for all, and one slow turn moves neither.
"""

import statistics

DISAGREES = 1e-3  # a peer whose fp32 logits are further off, relative to the largest, computes something else
MAX_REL_ERROR = 1e-4  # of effnet against its reference executor; above it a time is worth nothing

QUIET = 0.05  # others may use this share of the machine; above it a case should be measured again


def of_runs(ms):
    return {"min_ms": min(ms), "median_ms": statistics.median(ms), "runs": len(ms)}


def of_turns(turns):
    return {"min_ms": min(t["min_ms"] for t in turns), "median_ms": statistics.median(t["median_ms"] for t in turns),
            "runs": sum(t["runs"] for t in turns), "turns": len(turns)}


def best_peer(competitors, key):
    """(name, ms) of the peer whose `key` (min_ms or median_ms) is smallest, of those that computed the right thing;
    None if there is none. competitors: {name: {"turns": [..], "check": {"max_rel"}}}, effnet among them or not."""
    figures = [(of_turns(c["turns"])[key], name) for name, c in competitors.items()
               if name != "effnet" and c["turns"] and not disagrees(c)]
    return min(figures)[::-1] if figures else None


def disagrees(competitor):
    return competitor.get("check", {}).get("max_rel", 0) > DISAGREES


def share_of_peak(macs, ms, peak_gflops):
    """Of the peak rate, 0 to 1 (above 1 where an algorithm such as Winograd's multiplies less than counted)."""
    return 2 * macs / (ms * 1e6) / peak_gflops if peak_gflops else None


def verdict(value, must, goal):
    """"goal", "must" or "missed" for a figure that ought to be large; "" where nothing is asked or measured."""
    if value is None or (must is None and goal is None):
        return ""
    if goal is not None and value >= goal:
        return "goal"
    return "must" if must is not None and value >= must else "missed"


def verdict_below(value, must, goal):
    """The same for a figure that ought to be small."""
    return verdict(None if value is None else -value, None if must is None else -must, None if goal is None else -goal)


def comparison(result):
    """Of one case's result: effnet's and the best peer's figures, and the ratios best peer / effnet.

    {"ours": {"min_ms", "median_ms", "share"}, "best": {"min_ms", "min_name", "median_ms", "median_name", "share"},
    "ratio_min", "ratio_median"}; a part that was not measured is None."""
    competitors, peak = result["competitors"], result["peak_gflops"].get("highest")
    ours = competitors.get("effnet")
    ours = {**of_turns(ours["turns"]), "macs": ours["macs"]} if ours and ours["turns"] else None
    best = None
    if by_min := best_peer(competitors, "min_ms"):
        by_median = best_peer(competitors, "median_ms")
        best = {"min_name": by_min[0], "min_ms": by_min[1], "median_name": by_median[0], "median_ms": by_median[1],
                "macs": competitors[by_min[0]]["macs"]}
    for side in (ours, best):
        if side:
            side["share"] = share_of_peak(side["macs"], side["min_ms"], peak)
    both = ours and best
    return {"ours": ours, "best": best, "ratio_min": best["min_ms"] / ours["min_ms"] if both else None,
            "ratio_median": best["median_ms"] / ours["median_ms"] if both else None}
