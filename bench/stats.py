"""Statistics: from turns to times, from times to ratios. Standard library only.

A turn is {"min_ms", "median_ms", "runs"}. A competitor's minimum is the smallest minimum of its turns. Its median is
the median of its turns' medians. One slow turn changes neither.
"""

import statistics

# Largest allowed difference of logits, relative to the largest logit.
DISAGREES = 1e-3      # a peer against the reference peer; above it the peer is left out of the comparison
MAX_REL_ERROR = 1e-4  # effnet against its reference executor; above it no ratio is given

QUIET = 0.05  # if other processes use more than this share of the machine, the case should be measured again


def of_runs(ms):
    return {"min_ms": min(ms), "median_ms": statistics.median(ms), "runs": len(ms)}


def of_turns(turns):
    return {"min_ms": min(t["min_ms"] for t in turns), "median_ms": statistics.median(t["median_ms"] for t in turns),
            "runs": sum(t["runs"] for t in turns), "turns": len(turns)}


def best_peer(competitors, key):
    """(name, ms) of the peer with the smallest `key` (min_ms or median_ms), or None if there is no peer. Peers with
    wrong logits and effnet itself are ignored. competitors: {name: {"turns": [..], "check": {"max_rel"}}}."""
    figures = [(of_turns(c["turns"])[key], name) for name, c in competitors.items()
               if name != "effnet" and c["turns"] and not disagrees(c)]
    return min(figures)[::-1] if figures else None


def disagrees(competitor):
    return competitor.get("check", {}).get("max_rel", 0) > DISAGREES


def share_of_peak(macs, ms, peak_gflops):
    """The achieved share of the peak rate, or None without a peak. Above 1 is possible: Winograd's algorithm needs
    fewer multiplications than are counted."""
    return 2 * macs / (ms * 1e6) / peak_gflops if peak_gflops else None


def has_right_logits(effnet):
    """Whether effnet's logits were compared with the reference executor's and agree. effnet: its entry in a result."""
    error = effnet.get("info", {}).get("max_rel_error")
    return error is not None and error <= MAX_REL_ERROR


def comparison(result):
    """effnet and the fastest peer of one case, and the ratios fastest peer / effnet.

    {"ours": {"min_ms", "median_ms", "share"}, "best": {"min_ms", "min_name", "median_ms", "median_name", "share"},
    "ratio_min", "ratio_median"}. A part that was not measured is None. The ratios are also None if effnet's logits are
    wrong or were not compared."""
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
    both = ours and best and has_right_logits(competitors["effnet"])
    return {"ours": ours, "best": best, "ratio_min": best["min_ms"] / ours["min_ms"] if both else None,
            "ratio_median": best["median_ms"] / ours["median_ms"] if both else None}
