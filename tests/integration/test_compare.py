"""compare: two backends or instruction sets on one network, layer by layer."""

import os

import pytest

PHOTO = os.path.join(os.path.dirname(__file__), "../../examples/photos/chelsea.png")


def check_document(document):
    assert {"layers", "logits", "top1_agree"} <= set(document)
    assert document["layers"] and all(set(layer) == {"name", "max_abs", "max_rel"} for layer in document["layers"])
    assert set(document["logits"]) == {"max_abs", "max_rel"}


@pytest.mark.parametrize("backends", ["engine,reference", "reference,engine", "engine,reference_double", "engine:portable,engine", "reference,reference_double"])
def test_backends_agree(effnet, tiny, backends):
    document = effnet.json("compare", tiny, "--backends", backends)
    check_document(document)
    assert document["backends"] == backends.split(",")
    assert document["top1_agree"] is True and document["first_departure"] is None
    assert document["logits"]["max_rel"] <= 1e-4
    assert all(layer["max_rel"] <= 1e-4 for layer in document["layers"])
    names = {layer["name"] for layer in effnet.json("inspect", tiny, "--layers")["layers"]}
    assert {layer["name"] for layer in document["layers"]} <= names


def test_a_network_with_itself(effnet, tiny):
    document = effnet.json("compare", tiny, "--backends", "engine,engine")
    assert all(layer["max_abs"] == layer["max_rel"] == 0 for layer in document["layers"])
    assert document["logits"] == {"max_abs": 0, "max_rel": 0}


def test_a_named_network_on_a_photograph(effnet):
    document = effnet.json("compare", "efficientnet_b0", "--backends", "engine,reference", "--image", PHOTO)
    check_document(document)
    assert document["top1_agree"] is True and document["logits"]["max_rel"] <= 1e-4
    assert len(document["layers"]) > 40


def test_text_names_the_first_different_layer(effnet, tiny):
    result = effnet("compare", tiny, "--backends", "engine,reference", "--resolution", "31x45", "--quiet")
    assert result.returncode == 0 and "no layer has a relative difference" in result.stdout and "top-1 agrees" in result.stdout


def test_errors(effnet, tiny):
    effnet.check_error(effnet("compare", tiny, "--backends", "engine:avx9000,reference"), 4)
    effnet.check_error(effnet("compare", tiny, "--backends", "engine,reference", "--image", "/nope.png"), 3)
    effnet.check_error(effnet("compare", "nope.toml", "--backends", "engine,reference"), 3)
