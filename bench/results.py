"""The results file: a JSON document, saved after each case, so that a long run can be stopped and resumed.

    {"schema": 1, "cases": {ID: result}, "start_up": {..}, "memory": {..}, "ablation": {MODEL: {..}},
     "sets": {ID: {..}}}

measure.py makes the entries and report.py reads them. The entries may be of different days, so each has its own
`provenance` (machine.provenance).
"""

import json
import os

from bench.cases import BenchError

SCHEMA = 1


class Results:
    """Raises BenchError if the file is not a results file of this version."""

    def __init__(self, path):
        self.path = path
        self.document = {"schema": SCHEMA, "cases": {}}
        if os.path.exists(path):
            try:
                with open(path) as file:
                    self.document = json.load(file)
                schema = self.document["schema"]
            except (ValueError, KeyError, TypeError):
                raise BenchError(f"{path} is not a results file; remove it to start again") from None
            if schema != SCHEMA:
                raise BenchError(f"{path} has another version (got schema {schema}, expected {SCHEMA})")

    def save(self):
        """Writes a temporary file and renames it, so that the results file is always complete."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with open(self.path + ".tmp", "w") as file:
            json.dump(self.document, file, indent=1)
        os.replace(self.path + ".tmp", self.path)

    def finished(self, case_id, provenance, peers):
        """Whether the file has this case, measured on this CPU with this binary and these peers ({name: version})."""
        result = self.document["cases"].get(case_id)
        return bool(result) and same_run(result["provenance"], provenance) and all(
            result["versions"].get(name) == version for name, version in peers.items())


def same_run(a, b):
    return a["cpu"] == b["cpu"] and a["effnet_sha256"] == b["effnet_sha256"]
