"""The pages name only files that exist, docs/README.md lists every page, and no file refers to a path outside the repository."""

import itertools
import os
import re
import subprocess

import pytest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TRACKED = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True).stdout.split()
PAGES = [path for path in TRACKED if path.endswith(".md")]
# Where a page may mean a path from: the repository, the sources, the folder of tests, the page itself.
BASES = ["", "effnet", "effnet/train", "effnet/kernels", "effnet/engine", "effnet/vision", "effnet/formats", "docs"]
# A path in the text: names with a slash and an extension of the project's sources.
PATH = re.compile(r"`([\w./{},-]+/[\w.{},-]+\.(?:cc|h|py|toml|md|txt|svg|cmake))`")

pytestmark = pytest.mark.skipif(not TRACKED, reason="not a git checkout")


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def spellings(path):
    """a/{b,c}.h -> a/b.h, a/c.h"""
    parts = re.split(r"\{([^}]*)\}", path)
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def exists(path, page):
    return any(os.path.exists(os.path.join(ROOT, base, path)) for base in [*BASES, os.path.dirname(page)])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text_of(page)):
        if not re.match(r"[a-z]+:", target):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(page), target)), f"{page}: {target}"


@pytest.mark.parametrize("page", [p for p in PAGES if not p.startswith(("docs/results/", "docs/notes/", "docs/reference/"))])
def test_paths_in_the_text_exist(page):
    # KIND, NAME and the like stand for a word that the reader chooses; RUN/ and DIR/ are the user's folders.
    named = [p for p in PATH.findall(text_of(page)) if not re.search(r"[A-Z]{3,}|\*|^/", p)]
    missing = [one for path in named for one in spellings(path) if not exists(one, page)]
    allowed = {"path/to/effnet.h"}
    assert not set(missing) - allowed, f"{page} names files that do not exist"


def test_anchors_exist():
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text_of(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
            headings = re.findall(r"^#+ +(.*)$", text_of(path), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page}: {target}#{anchor}"


def test_the_index_lists_every_page():
    index = text_of("docs/README.md")
    for page in PAGES:
        if re.fullmatch(r"docs/[\w-]+\.md", page) and page != "docs/README.md":
            assert f"({os.path.basename(page)})" in index, page


def test_the_readme_counts_the_named_networks_and_lists_their_families(effnet):
    rows, readme = effnet.json("models"), text_of("README.md")
    assert f"{len(rows)} named networks" in readme
    listed = readme[readme.index("## The family"):readme.index("## Limits")].lower()
    for family in {row["family"] for row in rows}:
        assert re.sub(r"^efficientnet_|_v\d$", "", family) in listed, family


def test_no_file_refers_to_a_path_outside_the_repository():
    found = subprocess.run(
        ["git", "-C", ROOT, "grep", "-nIE", r"(\.\./|\b)shared/(reference|design|cli|data|peers)", "--", ".", ":!tests/integration/test_docs.py"],
        capture_output=True, text=True).stdout
    # The tests and benchmarks that use optional data say in one place where it is.
    allowed = ("tests/integration/shared_data.py:", "tests/integration/conftest.py:", "tools/run_tests:", "bench/setup:")
    lines = [line for line in found.splitlines() if not line.startswith(allowed)]
    assert not lines, "\n".join(lines)
