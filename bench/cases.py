"""The table of cases (cases.toml) as objects. Needs the standard library only, as the report does."""

import fnmatch
import os
import tomllib
from dataclasses import dataclass, field

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.toml")


class BenchError(Exception):
    """Something the caller can mend: wrong usage, a missing file, a competitor that does not answer as agreed."""


@dataclass(frozen=True)
class Case:
    """One comparison. must, goal, limit: {generation: value}, see cases.toml."""
    model: str
    peers_model: str
    threads: int
    batch: int
    precision: str
    resolution: int | None
    must: dict = field(default_factory=dict, compare=False)
    goal: dict = field(default_factory=dict, compare=False)
    limit: dict = field(default_factory=dict, compare=False)

    @property
    def id(self):
        """As in `efficientnet_b0-t1-n8`; names the case on the command line and in the results file."""
        return (self.model + (f"-vs-{self.peers_model}" if self.peers_model != self.model else "") +
                f"-t{self.threads}-n{self.batch}" + (f"-{self.resolution}px" if self.resolution else "") +
                (f"-{self.precision}" if self.precision != "fp32" else ""))


@dataclass(frozen=True)
class Group:
    title: str
    cases: list


@dataclass(frozen=True)
class Table:
    groups: list
    scaling: list
    start_up: list
    memory: list
    quick: list = field(default_factory=list)  # ids

    @property
    def cases(self):
        return [case for group in self.groups for case in group.cases]

    def select(self, patterns, quick=False):
        """The cases whose id matches one of the patterns (`efficientnet_b?-t1-*`), in the table's order; all of them
        where there is none. Throws BenchError for a pattern that matches nothing."""
        cases = [case for case in self.cases if case.id in self.quick or not quick]
        for pattern in patterns or []:
            if not any(fnmatch.fnmatchcase(case.id, pattern) for case in cases):
                raise BenchError(f"no such case (got {pattern}, expected one of {', '.join(case.id for case in cases)})")
        return [case for case in cases if not patterns or any(fnmatch.fnmatchcase(case.id, p) for p in patterns)]


GROUP_KEYS = {"title", "models", "peers_model", "threads", "batch", "precision", "resolution", "must", "goal", "limit"}


def _group(row):
    unknown = set(row) - GROUP_KEYS
    if unknown or "title" not in row or not row.get("models"):
        raise BenchError(f"a [[group]] of the cases is wrong (got {row}, expected title, models and keys of "
                         f"{', '.join(sorted(GROUP_KEYS))})")

    def of_model(key, i):  # a list has one value a model
        return {g: v[i] if isinstance(v, list) else v for g, v in row.get(key, {}).items()}

    return Group(row["title"], [
        Case(model, row.get("peers_model", model), row.get("threads", 1), row.get("batch", 1),
             row.get("precision", "fp32"), row.get("resolution"), of_model("must", i), of_model("goal", i),
             of_model("limit", i)) for i, model in enumerate(row["models"])
    ])


def load(path=FILE):
    """Throws BenchError for an unknown key, two cases of one id or the name of a case that is not there."""
    with open(path, "rb") as file:
        document = tomllib.load(file)
    table = Table([_group(row) for row in document.get("group", [])], document.get("scaling", []),
                  document.get("start_up", []), document.get("memory", []), document.get("quick", []))
    ids = [case.id for case in table.cases]
    if len(set(ids)) != len(ids):
        raise BenchError(f"two cases are one (got {sorted(i for i in ids if ids.count(i) > 1)}, expected different ones)")
    for id in [row[end] for row in table.scaling for end in ("from", "to")] + table.quick:
        if id not in ids:
            raise BenchError(f"the table of cases names one that it lacks (got {id}, expected one of {', '.join(ids)})")
    return table
