"""torchvision's models. After import, predict gives PyTorch's logits. After export --pth, PyTorch loads equal weights.

EFFNET_BIN=build/release/bin/effnet /usr/bin/python3 -m pytest tests/integration/test_import_torchvision.py
"""

import numpy
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# torchvision's name, effnet's name, and height x width of the image. Large networks run on small images; two sizes are
# not multiples of the strides.
MODELS = [
    ("efficientnet_b0", "efficientnet_b0", (224, 224)),
    ("efficientnet_b1", "efficientnet_b1", (160, 160)),
    ("efficientnet_b2", "efficientnet_b2", (131, 157)),
    ("efficientnet_b3", "efficientnet_b3", (128, 128)),
    ("efficientnet_b4", "efficientnet_b4", (128, 128)),
    ("efficientnet_b5", "efficientnet_b5", (96, 96)),
    ("efficientnet_b6", "efficientnet_b6", (96, 96)),
    ("efficientnet_b7", "efficientnet_b7", (96, 96)),
    ("mobilenet_v2", "mobilenet_v2", (160, 160)),
    ("resnet18", "resnet18", (101, 99)),
    ("resnet50", "resnet50", (128, 128)),
    ("resnet101", "resnet101", (96, 96)),
    ("resnet152", "resnet152", (96, 96)),
    ("mnasnet1_0", "mnasnet_b1", (160, 160)),
]
SLOW = ("efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "resnet101", "resnet152")


def photos(size, count):
    """Noise images of different brightness, contrast and colour; NHWC bytes."""
    random = numpy.random.default_rng(7)
    offset = random.uniform(40, 200, (count, 1, 1, 3))
    amount = random.uniform(10, 60, (count, 1, 1, 1))
    return numpy.clip(offset + amount * random.standard_normal((count, *size, 3)), 0, 255).astype(numpy.uint8)


def network_input(pixels):
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def seeded_model(name, batch):
    """Random weights of unit scale: fan-in initialisation, and batch norm statistics of one batch.

    In train mode each batch norm normalises with its batch. So with momentum 1 one forward pass gives the statistics
    that fit in evaluation mode too. Scale and shift are random, so that a missing one is noticed. """
    torch.manual_seed(sum(map(ord, name)))
    model = getattr(torchvision.models, name)()
    for path, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.normal_(module.weight, 0, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, 0, 0.1)
        if isinstance(module, torch.nn.BatchNorm2d):
            # The scale of a bottleneck's last batch norm is small. If the 50 branches were as large as their shortcuts,
            # PyTorch's float32 logits would differ from its float64 ones by 3e-4 (ResNet-152), more than the tolerance
            # below.
            low, high = (0.1, 0.3) if path.endswith("bn3") else (0.7, 1.3)
            torch.nn.init.uniform_(module.weight, low, high)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.momentum = 1.0
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0  # with dropped branches the statistics would not fit the evaluation mode
    model.train()
    with torch.no_grad():
        model(batch)
    return model.eval()


@pytest.mark.parametrize("theirs, ours, size",
                         [pytest.param(*model, id=model[0], marks=[pytest.mark.slow] * (model[0] in SLOW)) for model in MODELS])
def test_import_predict_export(effnet, tmp_path, theirs, ours, size):
    pixels = photos(size, 8)
    model = seeded_model(theirs, network_input(pixels))
    with torch.no_grad():
        expected = model(network_input(pixels[:1]))[0]
    assert 0.1 <= expected.std() <= 10, "the logits are too small or too large for a comparison"
    state = model.state_dict()
    torch.save(state, tmp_path / "in.pth")

    # Import: the network is detected without --arch, and no tensor is left over.
    report = effnet.json("import", tmp_path / "in.pth", "-o", tmp_path / "m.safetensors")
    assert report["arch"] == ours
    assert report["unused"] == []
    assert report["tensors"] == sum(not name.endswith("num_batches_tracked") for name in state)
    assert report["params"] == sum(p.numel() for p in model.parameters())

    # Predict: equal logits for equal pixels.
    Image.fromarray(pixels[0]).save(tmp_path / "x.png")
    got = effnet.json("predict", tmp_path / "m.safetensors", tmp_path / "x.png", "--raw",
                      "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)), "--logits")
    logits = torch.tensor(got["images"][0]["logits"])
    assert logits.shape == expected.shape
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()

    # Export: the original names, strict loading, equal bits. num_batches_tracked is not part of the network: effnet
    # writes 0.
    effnet.json("export", tmp_path / "m.safetensors", "--pth", tmp_path / "out.pth")
    written = torch.load(tmp_path / "out.pth")
    getattr(torchvision.models, theirs)().load_state_dict(written, strict=True)
    assert set(written) == set(state)
    for name, tensor in state.items():
        assert written[name].shape == tensor.shape and written[name].dtype == tensor.dtype, name
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(written[name], tensor), name


def test_unfitting_weights_are_refused(effnet, tmp_path):
    state = torchvision.models.mobilenet_v2().state_dict()
    torch.save(state, tmp_path / "v2.pth")
    out = tmp_path / "m.safetensors"
    result = effnet("import", tmp_path / "v2.pth", "--arch", "efficientnet_b0", "-o", out)
    effnet.check_error(result, 3)
    assert "efficientnet_b0" in result.stderr and "features.1" in result.stderr
    del state["features.3.conv.3.running_var"]
    torch.save(state, tmp_path / "broken.pth")
    result = effnet("import", tmp_path / "broken.pth", "-o", out)
    effnet.check_error(result, 3)
    assert "features.3.conv.3.running_var" in result.stderr
    assert not out.exists()
