"""The table of cases (cases.toml) as objects. Standard library only, so that the report needs no peers."""

import fnmatch
import os
import tomllib
from dataclasses import dataclass, field

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.toml")


class BenchError(Exception):
    """An error that the user can fix: wrong usage, a missing file, a competitor with an unexpected answer."""


@dataclass(frozen=True)
class Case:
    """One comparison: effnet on one network, the peers on the same or another one."""
    model: str
    peers_model: str
    threads: int
    batch: int
    precision: str
    resolution: int | None  # None: the network's own

    @property
    def id(self):
        """The name on the command line and in the results file, such as `efficientnet_b0-t1-n8`."""
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
        """The cases whose id matches one of the patterns (`efficientnet_b?-t1-*`), in the table's order.

        Without patterns: all cases. Raises BenchError for a pattern that matches no case."""
        cases = [case for case in self.cases if case.id in self.quick or not quick]
        for pattern in patterns or []:
            if not any(fnmatch.fnmatchcase(case.id, pattern) for case in cases):
                raise BenchError(f"no such case (got {pattern}, expected one of "
                                 f"{', '.join(case.id for case in cases)})")
        return [case for case in cases if not patterns or any(fnmatch.fnmatchcase(case.id, p) for p in patterns)]


GROUP_KEYS = {"title", "models", "peers_model", "threads", "batch", "precision", "resolution"}


def _group(row):
    unknown = set(row) - GROUP_KEYS
    if unknown or "title" not in row or not row.get("models"):
        raise BenchError(f"cases.toml: invalid [[group]] (got {row}, expected title, models and only keys of "
                         f"{', '.join(sorted(GROUP_KEYS))})")

    return Group(row["title"], [
        Case(model, row.get("peers_model", model), row.get("threads", 1), row.get("batch", 1),
             row.get("precision", "fp32"), row.get("resolution")) for model in row["models"]
    ])


def load(path=FILE):
    """Reads cases.toml.

    Raises BenchError for an unknown key, for two cases with the same id and for an unknown case name."""
    with open(path, "rb") as file:
        document = tomllib.load(file)
    table = Table([_group(row) for row in document.get("group", [])], document.get("scaling", []),
                  document.get("start_up", []), document.get("memory", []), document.get("quick", []))
    ids = [case.id for case in table.cases]
    if len(set(ids)) != len(ids):
        raise BenchError("cases.toml: two cases have the same id (got "
                         f"{sorted(i for i in ids if ids.count(i) > 1)}, expected different ids)")
    for id in [row[end] for row in table.scaling for end in ("from", "to")] + table.quick:
        if id not in ids:
            raise BenchError(f"cases.toml: unknown case (got {id}, expected one of {', '.join(ids)})")
    return table
