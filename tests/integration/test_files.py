"""Unusual files: links and devices as outputs, lists of other programs, labels from spreadsheets, folders with links
and with names that are not UTF-8."""

import json
import os
import resource
import signal
import stat
import subprocess
import threading

import numpy
import pytest
from PIL import Image


def write_photo(path, seed=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(numpy.random.default_rng(seed).integers(0, 255, (24, 20, 3), dtype=numpy.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def numbered(effnet, tiny, tmp_path_factory):
    """A model file with tiny's weights and the classes "1", "2" and "3"."""
    folder = tmp_path_factory.mktemp("numbered")
    effnet.json("export", tiny, "--safetensors", folder / "w.safetensors", "--names", "effnet", "--quiet")
    effnet.json("import", folder / "w.safetensors", "--arch", tiny, "-o", folder / "m.safetensors", "--quiet")
    data = (folder / "m.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header["__metadata__"]["effnet.labels"] = json.dumps(["1", "2", "3"])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = folder / "numbered.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])
    return path


def test_links_fifos_and_devices_as_output(effnet, tmp_path):
    scale = lambda out: effnet("scale", "efficientnet_b0", "--phi", "1", "-o", out)
    assert scale(tmp_path / "v1.toml").returncode == 0
    expected = (tmp_path / "v1.toml").read_text()

    assert effnet("scale", "efficientnet_b0", "--phi", "2", "-o", tmp_path / "v3.toml").returncode == 0
    os.chmod(tmp_path / "v3.toml", 0o600)
    os.symlink("v3.toml", tmp_path / "latest.toml")
    assert scale(tmp_path / "latest.toml").returncode == 0
    assert os.readlink(tmp_path / "latest.toml") == "v3.toml"
    assert (tmp_path / "v3.toml").read_text() == expected
    assert stat.S_IMODE(os.stat(tmp_path / "v3.toml").st_mode) == 0o600

    os.mkfifo(tmp_path / "fifo")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "fifo").read_text()), daemon=True)
    reader.start()
    assert scale(tmp_path / "fifo").returncode == 0
    reader.join(60)
    assert got == [expected] and stat.S_ISFIFO(os.stat(tmp_path / "fifo").st_mode)

    for text in ("old", 'name = "mine"\n[choices]\nkernel = [3, 5]\n'):  # a person has written them
        (tmp_path / "space.toml").write_text(text)
        effnet.check_error(scale(tmp_path / "space.toml"), 2)
        assert (tmp_path / "space.toml").read_text() == text

    if os.geteuid() == 0:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        assert scale(tmp_path / "null").returncode == 0
        assert stat.S_ISCHR(os.stat(tmp_path / "null").st_mode)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_stdout_as_output(effnet, tiny, tmp_path):
    text = effnet("scale", "efficientnet_b0", "--phi", "1", "-o", "-")
    assert text.returncode == 0
    (tmp_path / "b.toml").write_text(text.stdout)
    assert effnet.json("inspect", tmp_path / "b.toml")["resolution"] == 256
    effnet.check_error(effnet("scale", "efficientnet_b0", "--phi", "1", "-o", "-", "--json"), 2)
    photo = write_photo(str(tmp_path / "a.png"))
    effnet.check_error(effnet("cam", tiny, photo, "-o", "-"), 2)
    effnet.check_error(effnet("predict", tiny, photo, "--dump-pixels", "-"), 2)
    effnet.check_error(effnet("export", tiny, "--pth", "-"), 2)
    effnet.check_error(effnet("import", tmp_path / "b.toml", "-o", "-"), 2)


def test_pipes_as_input(effnet, tiny, tmp_path):
    photo = write_photo(str(tmp_path / "a.png"))
    os.mkfifo(tmp_path / "fifo.png")
    result = effnet("predict", tiny, tmp_path / "fifo.png", "--quiet", timeout=30)
    assert result.returncode == 3 and "got a FIFO, expected a file" in result.stderr
    for command in (["import", tmp_path / "fifo.png", "-o", tmp_path / "x.safetensors"], ["inspect", tmp_path / "fifo.png"],
                    ["report", tmp_path / "fifo.png"]):
        assert effnet(*command, timeout=30).returncode in (2, 3)
    effnet.json("export", tiny, "--safetensors", tmp_path / "w.safetensors", "--names", "effnet", "--quiet")
    weights = open(tmp_path / "w.safetensors", "rb").read()
    os.mkfifo(tmp_path / "fifo.safetensors")
    for model, data in ((tmp_path / "fifo.safetensors", b""), ("/dev/stdin", weights)):
        result = subprocess.run([effnet.path, "predict", model, photo, "--quiet"], input=data, stderr=subprocess.PIPE,
                                env={**os.environ, "EFFNET_HOME": str(effnet.home)}, timeout=60)
        assert result.returncode == 3 and b"hint: weights are mapped into memory" in result.stderr
    counted = subprocess.run([effnet.path, "inspect", "/dev/stdin", "--quiet"], input=weights, stdout=subprocess.PIPE, timeout=60)
    assert counted.returncode == 0 and counted.stdout.startswith(b"tiny at 32 px")
    expected = effnet.json("predict", tiny, photo, "--quiet")["images"][0]["top"]
    with open(photo, "rb") as file:
        piped = subprocess.run([effnet.path, "predict", str(tiny), "/dev/stdin", "--quiet", "--json"], input=file.read(),
                               stdout=subprocess.PIPE, env={**os.environ, "EFFNET_HOME": str(effnet.home)}, timeout=60)
    assert json.loads(piped.stdout)["images"][0]["top"] == expected


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_a_closed_stderr_does_not_write_into_the_output(effnet, tmp_path, closed):
    """The table is open while the command says how long it will take. The file must not have the number of stderr."""
    space = tmp_path / "space.toml"
    space.write_text('name = "few"\n[choices]\nkernel = [3, 5]\n[base]\nname = "few"\nresolution = 32\nclasses = 3\n'
                     '[base.stem]\nchannels = 8\n[[base.stages]]\nchannels = 16\nexpand = 2\n[base.head]\nchannels = 24\n')
    words = ["search", "latency", space, "-o", tmp_path / "table.json", "--seconds", "0.01", "--random", "10", "--threads", "1"]
    result = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", effnet.path, *map(str, words)], stdout=subprocess.PIPE,
                            timeout=300)
    assert result.returncode == 0
    assert json.loads((tmp_path / "table.json").read_text())["parts_ms"]


def test_a_closed_stdout_is_an_error(effnet):
    result = subprocess.run(["sh", "-c", 'exec "$0" models >&-', effnet.path], stderr=subprocess.PIPE, text=True)
    assert result.returncode == 4 and "cannot write the result to stdout" in result.stderr


def test_lists_of_paths_from_a_closed_stdin_are_errors(effnet, tiny):
    result = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", effnet.path, "predict", tiny, "-", "--quiet"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "EFFNET_HOME": str(effnet.home)})
    effnet.check_error(result, 3)
    assert "stdin: cannot read the list" in result.stderr


@pytest.mark.parametrize("form", ["{}\n{}\n", "{}\r\n{}\r\n", "\ufeff{}\n{}", "{}\0{}\0", "{} \n\n{}\t\n"])
def test_lists_of_paths(effnet, tiny, tmp_path, form):
    paths = [write_photo(str(tmp_path / name), 1) for name in ("a.png", "two words.png")]
    result = effnet("predict", tiny, "-", "--quiet", input=form.format(*paths))
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == paths


def test_a_list_of_odd_names(effnet, tiny, tmp_path):
    paths = [write_photo(str(tmp_path / name), 1) for name in ("line\nend.png", "b.png")]
    result = effnet("predict", tiny, "-", "--quiet", input="\0".join(paths))
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == paths
    blank = str(tmp_path / "b.png ")
    os.rename(paths[1], blank)
    result = effnet("predict", tiny, "-", "--quiet", input=blank + "\n")
    assert result.returncode == 0, "a file name may end in a space"


def test_a_list_that_cannot_be_read(effnet, tiny, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    result = subprocess.run([effnet.path, "predict", str(tiny), "-", "--quiet"], stdin=folder, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, env={**os.environ, "EFFNET_HOME": str(effnet.home)}, text=True, timeout=60)
    os.close(folder)
    effnet.check_error(result, 3)
    assert "stdin: cannot read the list" in result.stderr


def test_results_are_printed_one_by_one(effnet, tiny, tmp_path):
    photo = write_photo(str(tmp_path / "a.png"))
    process = subprocess.Popen([effnet.path, "predict", str(tiny), "-", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, "EFFNET_HOME": str(effnet.home)}, text=True)
    for _ in range(2):
        process.stdin.write(photo + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["path"] == photo
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130, "interrupted while it waits for a line"


def test_label_lists_by_index(effnet, numbered, tmp_path):
    """Labels by index, for classes named 1, 2 and 3. The labels are predict's results, so eval gives 100 %."""
    paths = [write_photo(str(tmp_path / "set" / f"{i}.png"), i) for i in range(12)]
    top = [image["top"][0]["index"] for image in effnet.json("predict", numbered, *paths)["images"]]
    truth = top[:9] + [(index + 1) % 3 for index in top[9:]]
    assert 0 in truth and len(set(truth)) > 1

    def score(text):
        (tmp_path / "l.csv").write_bytes(text)
        return effnet("eval", numbered, tmp_path / "set", "--labels", tmp_path / "l.csv", "--json")

    lines = lambda head, shift: (head + "".join(f"{i}.png,{index + shift}\n" for i, index in enumerate(truth))).encode()
    for text in (lines("", 0), lines("file,index\n", 0), lines("file,name\n", 1),
                 b"\xef\xbb\xbf" + lines("file,class\n", 0).replace(b"\n", b"\r\n"),
                 lines("", 0).replace(b",", b";").replace(b"10.png", b'"10.png"')):
        result = score(text)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["top1"] == 75
        exact_names = b"file,name" in text
        assert ("the labels are read as class indices" in result.stderr) != exact_names
        assert (result.stderr == "") == exact_names, "nothing was guessed, so there is nothing to warn about"
    (tmp_path / "set" / "more.png").write_bytes(b"x")
    assert json.loads(score(lines("file,index\n", 0)).stdout)["skipped"][0]["why"].startswith("no line in")


def test_eval_by_name(effnet, numbered, tmp_path):
    for i in range(3):
        write_photo(str(tmp_path / "set" / "xyz"[i] / "0.png"), i)
    result = effnet("eval", numbered, tmp_path / "set")
    effnet.check_error(result, 3)
    assert "x: this folder's name is not a class of the model" in result.stderr and "--classes FILE" in result.stderr
    (tmp_path / "classes").write_bytes(b"\xef\xbb\xbf2\tx\r\n1\ty\r\n0\tz\r\n")
    assert effnet.json("eval", numbered, tmp_path / "set", "--classes", tmp_path / "classes")["images"] == 3


def test_model_without_class_names_gives_a_note(effnet, tiny, tmp_path):
    for i in range(3):
        write_photo(str(tmp_path / "xyz"[i] / "0.png"), i)
    result = effnet("eval", tiny, tmp_path)
    assert result.returncode == 0
    assert "no names for its classes: the folders are numbered in sorted order, 'x' is class 0" in result.stderr


def test_links_in_data_folders(effnet, tmp_path):
    for name in ("cat", "dog"):
        for i in range(3):
            write_photo(str(tmp_path / "train" / name / f"{i}.png"), i + len(name) * (name == "dog"))
    os.symlink("..", tmp_path / "train" / "cat" / "up")
    os.symlink("../..", tmp_path / "train" / "dog" / "upper")
    os.mkfifo(tmp_path / "train" / "dog" / "fifo.png")
    report = effnet.json("data", "check", tmp_path, timeout=60)
    assert report["images"] == 6
    assert sorted(os.path.basename(row["path"]) for row in report["skipped"]) == ["fifo.png", "up", "upper"]


@pytest.mark.parametrize("name", [b"caf\xe9", b"new\nline"])
def test_class_folders_that_are_not_utf8(effnet, tmp_path, name):
    for folder in ("cat", "dog"):
        write_photo(str(tmp_path / "train" / folder / "0.png"), len(folder))
    os.rename(tmp_path / "train" / "dog", os.path.join(os.fsencode(tmp_path / "train"), name))
    result = effnet("data", "check", tmp_path)
    effnet.check_error(result, 3)
    assert "train: a class folder's name" in result.stderr
    assert repr(name)[1:].replace("\\n", "\\x0a") in result.stderr and "hint: rename it: mv $'" in result.stderr


def test_arch_files_with_a_byte_order_mark(effnet, tiny, tmp_path):
    (tmp_path / "net.toml").write_bytes(b"\xef\xbb\xbf" + open(tiny, "rb").read().replace(b"\n", b"\r\n"))
    assert effnet.json("inspect", tmp_path / "net.toml") == effnet.json("inspect", tiny)


def test_out_of_memory_is_an_environment_error(effnet, tiny, tmp_path):
    write_photo(str(tmp_path / "set" / "0.png"))
    with open(tmp_path / "l.csv", "wb") as file:
        file.truncate(4 << 30)  # a sparse file
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    for flag in ("--labels", "--classes"):
        result = subprocess.run([effnet.path, "eval", tiny, str(tmp_path / "set"), flag, str(tmp_path / "l.csv"), "--quiet"],
                                preexec_fn=limit, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        effnet.check_error(result, 4)
        assert "out of memory" in result.stderr


def test_an_output_is_never_its_input(effnet, tiny, tmp_path):
    photo = write_photo(tmp_path / "me.png")
    whole = open(photo, "rb").read()
    os.symlink("me.png", tmp_path / "link.png")
    for out in (photo, tmp_path / "link.png"):
        effnet.check_error(effnet("cam", tiny, photo, "-o", out, "--quiet"), 2)
    effnet.check_error(effnet("predict", tiny, photo, "--dump-pixels", photo, "--quiet"), 2)
    assert open(photo, "rb").read() == whole
    weights = tmp_path / "w.safetensors"
    effnet.json("export", tiny, "--safetensors", weights, "--names", "effnet", "--quiet")
    effnet.check_error(effnet("import", weights, "-o", weights, "--quiet"), 2)


def test_image_is_not_a_list_of_paths(effnet, tiny, tmp_path):
    photo = write_photo(tmp_path / "a.jpg")
    with open(photo, "rb") as file:
        result = subprocess.run([effnet.path, "predict", str(tiny), "-", "--quiet"], stdin=file, capture_output=True)
    assert result.returncode == 3 and result.stderr.count(b"effnet: error") == 1
    assert b"not a list of paths" in result.stderr and b"/dev/stdin" in result.stderr
    assert not any(byte < 32 and byte != 10 for byte in result.stderr)  # no control characters for the terminal
    result = effnet("predict", tiny, str(tmp_path / "a\x1b[31m.jpg"), "--quiet")
    assert result.returncode == 3 and "\\x1b" in result.stderr and "\x1b" not in result.stderr


def test_file_size_limit_is_an_error(effnet, tiny, tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    result = subprocess.run([effnet.path, "export", str(tiny), "--safetensors", str(tmp_path / "w.safetensors"), "--names", "effnet"],
                            preexec_fn=limit, capture_output=True, text=True)
    effnet.check_error(result, 4)
    assert os.listdir(tmp_path) == []


def test_classes_file_has_to_name_folders(effnet, numbered, tmp_path):
    for name in ("1", "2", "3"):
        write_photo(tmp_path / "set" / name / "0.png")
    (tmp_path / "c.txt").write_text("0\tqqq\n1\twww\n")
    result = effnet("eval", numbered, tmp_path / "set", "--classes", tmp_path / "c.txt", "--quiet")
    effnet.check_error(result, 3)
    assert "the class file contains no folder's name" in result.stderr
    (tmp_path / "l.csv").write_text("\ufeff")
    result = effnet("eval", numbered, tmp_path / "set" / "1", "--labels", tmp_path / "l.csv", "--quiet")
    effnet.check_error(result, 3)
    assert "l.csv: no labels (expected" in result.stderr
    (tmp_path / "l.csv").write_text(f"file,name\n{tmp_path / 'set' / '1' / '0.png'},1\n")
    assert effnet.json("eval", numbered, tmp_path / "set" / "1", "--labels", tmp_path / "l.csv", "--quiet")["skipped"] == []


def test_class_in_val_only_is_an_error(effnet, tmp_path):
    for path in ("train/cat", "train/dog", "valid/cat", "valid/eel"):
        write_photo(tmp_path / path / "0.png", seed=len(path))
    result = effnet("data", "check", tmp_path, "--json")
    assert result.returncode == 3 and "'eel'" in result.stderr
    assert {"class": "eel", "split": "train"} in json.loads(result.stdout)["missing"]
