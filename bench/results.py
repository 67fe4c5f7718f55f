"""The results file: one JSON document that grows case by case, so that a long run can be stopped and resumed.

    {"schema": 1, "cases": {ID: result}, "start_up": {..}, "memory": {..}, "ablation": {MODEL: {..}},
     "sets": {ID: {..}}}

measure.py makes the parts; each carries its `provenance` (machine.provenance), since the file may hold figures of several
days. report.py reads it.
"""

import json
import os

from bench.cases import BenchError

SCHEMA = 1


class Results:
    """Throws BenchError for a file that is not one of these."""

    def __init__(self, path):
        self.path = path
        self.document = {"schema": SCHEMA, "cases": {}}
        if os.path.exists(path):
            try:
                with open(path) as file:
                    self.document = json.load(file)
                schema = self.document["schema"]
            except (ValueError, KeyError, TypeError):
                raise BenchError(f"{path} is no results file; remove it to begin anew") from None
            if schema != SCHEMA:
                raise BenchError(f"{path} is of another version (got schema {schema}, expected {SCHEMA})")

    def save(self):
        """Whole or not at all: written beside, then renamed."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with open(self.path + ".tmp", "w") as file:
            json.dump(self.document, file, indent=1)
        os.replace(self.path + ".tmp", self.path)

    def finished(self, case_id, provenance, peers):
        """Whether the file has this case, of this CPU and binary, and these peers ({name: version})."""
        result = self.document["cases"].get(case_id)
        return bool(result) and same_run(result["provenance"], provenance) and all(
            result["versions"].get(name) == version for name, version in peers.items())


def same_run(a, b):
    return a["cpu"] == b["cpu"] and a["effnet_sha256"] == b["effnet_sha256"]
