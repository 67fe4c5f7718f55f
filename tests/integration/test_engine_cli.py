"""The engine in predict, eval and cam: agreement with the reference executor, instruction sets, threads, and the cache
of packed weights, whose files are always checked."""

import json
import os
import pty
import stat
import subprocess

import numpy
import pytest
from PIL import Image

PHOTOS = os.path.join(os.path.dirname(__file__), "../../examples/photos")
CHELSEA = os.path.join(PHOTOS, "chelsea.png")
ROCKET = os.path.join(PHOTOS, "rocket.jpg")


def logits_of(effnet, model, *flags, **options):
    images = effnet.json("predict", model, CHELSEA, ROCKET, "--logits", "--quiet", *flags, **options)["images"]
    return numpy.array([image["logits"] for image in images])


def largest_difference(a, b):
    return numpy.abs(a - b).max() / numpy.abs(b).max()


@pytest.mark.parametrize("model", ["tiny", "efficientnet_b0", "efficientnet_lite0", "mobilenet_v1", "mnasnet_a1", "resnet18"])
def test_engine_agrees_with_the_reference(effnet, tiny, model):
    name = tiny if model == "tiny" else model
    engine = logits_of(effnet, name)
    assert (engine == logits_of(effnet, name, "--backend", "engine")).all()
    assert largest_difference(engine, logits_of(effnet, name, "--backend", "reference")) <= 1e-4


def test_instruction_sets_agree(effnet, tiny):
    default = logits_of(effnet, tiny)
    for name in effnet.json("doctor")["isa"]:
        assert effnet.json("doctor", env={"EFFNET_ISA": name})["chosen_isa"] == {"avx512_vnni": "avx512", "avx512_bf16": "avx512"}.get(name, name)
        assert largest_difference(logits_of(effnet, tiny, env={"EFFNET_ISA": name}), default) <= 1e-4
    effnet.check_error(effnet("predict", tiny, CHELSEA, env={"EFFNET_ISA": "sse9"}), 4)


def test_threads_do_not_change_a_bit(effnet, tiny):
    for model in (tiny, "efficientnet_b0"):
        one = logits_of(effnet, model, "--threads", "1")
        for threads in ("2", "3"):
            assert (logits_of(effnet, model, "--threads", threads) == one).all()


def test_eval_does_not_depend_on_batch_and_backend(effnet, tiny, tmp_path):
    generator = numpy.random.default_rng(1)
    for index in range(3):
        (tmp_path / f"class_{index}").mkdir()
        for number in range(4):
            Image.fromarray(generator.integers(0, 255, (40, 50, 3), dtype=numpy.uint8)).save(tmp_path / f"class_{index}" / f"{number}.png")
    flags = [[], ["--batch", "1"], ["--batch", "5"], ["--backend", "reference"], ["--backend", "engine", "--batch", "64"]]
    documents = [effnet.json("eval", tiny, str(tmp_path), *more) for more in flags]
    for document in documents:
        assert (document["images"], document["top1"], document["mean_per_class"]) == (12, documents[0]["top1"], documents[0]["mean_per_class"])


def test_cam_maps_agree(effnet, tiny, tmp_path):
    photos = []
    for backend in ("engine", "reference"):
        out = tmp_path / f"{backend}.png"
        effnet.json("cam", tiny, CHELSEA, "-o", str(out), "--class", "1", "--backend", backend)
        photos.append(numpy.asarray(Image.open(out)).astype(int))
    assert numpy.abs(photos[0] - photos[1]).max() <= 1  # one level of 255, if a value is rounded the other way


def packed(home):
    folder = home / "packed"
    return sorted(path for path in folder.iterdir() if path.suffix == ".packed") if folder.is_dir() else []


def predict_at_a_terminal(effnet, model, home):
    """The logits, and the output on the terminal. Notes are printed on terminals only."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EFFNET_")} | {"EFFNET_HOME": str(home)}
    result = subprocess.run([effnet.path, "predict", model, CHELSEA, "--logits", "--json"], env=environment, stdout=subprocess.PIPE,
                            stderr=slave, timeout=600)
    os.close(slave)
    notes = ""
    try:
        while True:
            notes += os.read(master, 1 << 16).decode()
    except OSError:  # end of output: the other side is closed
        os.close(master)
    assert result.returncode == 0, notes
    return json.loads(result.stdout)["images"][0]["logits"], notes


def test_second_start_uses_the_packed_weights(effnet, tmp_path):
    first, notes = predict_at_a_terminal(effnet, "efficientnet_b0", tmp_path)
    assert "packing the weights of efficientnet_b0" in notes
    (file,) = packed(tmp_path)
    assert file.stat().st_size > 4 * 5e6
    before = (file.stat().st_ino, file.read_bytes())  # the time of its last use may change
    second, notes = predict_at_a_terminal(effnet, "efficientnet_b0", tmp_path)
    assert "packing" not in notes
    assert first == second and packed(tmp_path) == [file] and (file.stat().st_ino, file.read_bytes()) == before


def test_other_weights_use_other_cache_files(effnet, tiny, tmp_path):
    home = {"EFFNET_HOME": str(tmp_path)}
    logits = [logits_of(effnet, tiny, *flags, env=home) for flags in ([], ["--seed", "1"], ["--seed", "0"])]
    assert (logits[0] == logits[2]).all() and (logits[0] != logits[1]).any()
    assert len(packed(tmp_path)) == 2
    logits_of(effnet, tiny, env={**home, "EFFNET_ISA": "portable"})
    assert len(packed(tmp_path)) == (3 if effnet.json("doctor")["chosen_isa"] != "portable" else 2)


def test_a_model_file_that_changes_is_packed_again(effnet, tiny, tmp_path):
    home = {"EFFNET_HOME": str(tmp_path / "home")}
    model = tmp_path / "model.safetensors"

    def write(seed):
        source = tmp_path / f"{seed}.pth"
        effnet.json("export", tiny, "--pth", str(source), "--seed", seed, "--names", "effnet")
        effnet.json("import", str(source), "--arch", tiny, "-o", str(model))

    write(1)
    one = logits_of(effnet, str(model), env=home)
    assert (one == logits_of(effnet, str(model), env=home)).all()
    assert largest_difference(one, logits_of(effnet, str(model), "--backend", "reference", env=home)) <= 1e-4
    write(2)
    two = logits_of(effnet, str(model), env=home)
    assert (one != two).any()
    assert largest_difference(two, logits_of(effnet, str(model), "--backend", "reference", env=home)) <= 1e-4


@pytest.mark.parametrize("damage", ["cut", "header", "first value", "last byte", "empty", "folder", "longer"])
def test_a_damaged_cache_file_is_rebuilt(effnet, tiny, tmp_path, damage):
    home = {"EFFNET_HOME": str(tmp_path)}
    good = logits_of(effnet, tiny, env=home)
    (file,) = packed(tmp_path)
    whole = file.read_bytes()
    data = bytearray(whole)
    if damage == "cut":
        data = data[:-100]
    elif damage == "header":
        data[3] ^= 0x40
    elif damage == "first value":
        data[-len(data) // 4] ^= 0x40
    elif damage == "last byte":
        data[-1] ^= 1
    elif damage == "empty":
        data = b""
    elif damage == "longer":
        data += bytes(4096)
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        file.write_bytes(data)
    result = effnet("predict", tiny, CHELSEA, "--quiet", env=home)
    assert result.returncode == 0 and result.stderr == ""
    assert (logits_of(effnet, tiny, env=home) == good).all()
    if damage != "folder":
        assert file.read_bytes() == whole


def test_unwritable_homes_store_nothing(effnet, tiny, tmp_path):
    good = logits_of(effnet, tiny)
    file = tmp_path / "file"
    file.write_text("not a folder")
    for home in ("/proc/nope", str(file)):  # not writable even for root
        assert (logits_of(effnet, tiny, env={"EFFNET_HOME": home}) == good).all()
        assert effnet.json("bench", tiny, "--seconds", "0.01", env={"EFFNET_HOME": home})["runs"] >= 10
        assert effnet.json("bench", tiny, "--seconds", "0.01", "--tune", env={"EFFNET_HOME": home})["tuned"] is True
    folder = tmp_path / "readonly"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert (logits_of(effnet, tiny, env={"EFFNET_HOME": str(folder)}) == good).all()
    # EFFNET_HOME, XDG_CACHE_HOME and HOME are empty, which is the same as not set.
    nowhere = {"EFFNET_HOME": "", "XDG_CACHE_HOME": "", "HOME": ""}
    assert (logits_of(effnet, tiny, env=nowhere) == good).all()
    assert effnet.json("bench", tiny, "--seconds", "0.01", "--tune", env=nowhere)["tuned"] is True
    doctor = effnet.json("doctor", env=nowhere)
    assert doctor["home"] is None and any("HOME" in problem for problem in doctor["problems"])
    assert effnet("doctor", env=nowhere).returncode == 0
    assert effnet.json("bench", "mobilenet_v1", "--resolution", "64", "--seconds", "0.01", env=nowhere)["runs"] >= 10


def test_the_cache_follows_xdg(effnet, tiny, tmp_path):
    logits_of(effnet, tiny, env={"EFFNET_HOME": "", "XDG_CACHE_HOME": str(tmp_path)})
    assert len(packed(tmp_path / "effnet")) == 1
