"""Training compared with PyTorch: torchvision's networks, the same initial weights and batches.

Compared are the first loss, the first gradient of each tensor, the statistics of batch norm after one step, and the
losses of 20 steps. effnet's kernels run with RMSProp, LibTorch's with SGD: the optimisers do not depend on the kernels,
and most of the time is Debian's PyTorch. PyTorch also runs in float64, which gives the error of float32 at each step,
and the gradients that are zero in exact arithmetic. LibTorch's kernels are channels-last; their batch norm sums less
exactly (error of B0's first loss 4e-6, otherwise 1e-7), so PyTorch uses that layout too.

ReLU6 is not differentiable at 0 and 6. Among MobileNetV2's millions of activations, rounding always moves some across
these points, so that PyTorch's float32 gradients differ from its float64 ones by 2e-2. So this network is compared in
three ways: in float64; in float32 with batch norms that keep most values away from 0 and 6; and, losses only, in
float32 with its own initial weights, where PyTorch's float32 and float64 losses differ by 1e-2 after a few steps.

EFFNET_BIN=build/release/bin/effnet /usr/bin/python3 -m pytest tests/integration/test_train_parity.py
"""

import json
import os
import pathlib
import subprocess

import numpy
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

STEPS, BATCH, SIDE, CLASSES = 20, 8, 64, 10
# A row: the network; whether its batch norms keep the values away from 0 and 6; the learning rates, the largest for
# which PyTorch's float32 and float64 runs do not diverge from each other.
ROWS = {
    "b0": ("efficientnet_b0", False, {"sgd": 3e-5, "rmsprop_tf": 5e-5}),
    "v2": ("mobilenet_v2", False, {"sgd": 1e-4}),
    "v2_smooth": ("mobilenet_v2", True, {"sgd": 1e-4, "rmsprop_tf": 1e-4}),
}
RUNS = [("b0", "rmsprop_tf", "fused"), ("b0", "sgd", "plain"), ("v2", "sgd", "fused"), ("v2", "sgd", "plain"),
        ("v2_smooth", "rmsprop_tf", "fused"), ("v2_smooth", "sgd", "plain")]
FAST = ("b0-rmsprop_tf-fused", "v2_smooth-sgd-plain")
MOMENTUM, DECAY, EPSILON = 0.9, 0.9, 1e-3
RELATIVE = 1e-4  # largest relative difference from PyTorch


@pytest.fixture(scope="module")
def replay(effnet):
    folder = os.environ.get("EFFNET_BIN_DIR") or os.path.dirname(effnet.path)
    path = pathlib.Path(folder) / "parity_replay"
    if not os.access(path, os.X_OK):
        pytest.skip("parity_replay is not built: it needs EFFNET_TRAIN=ON")
    return path


def write_safetensors(path, tensors):
    names = {"float32": "F32", "int64": "I64"}
    header, offset = {}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": names[str(array.dtype)], "shape": array.shape, "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in tensors.values()))


def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    types = {"F32": numpy.float32, "F64": numpy.float64}
    result = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[8 + length + begin:8 + length + end], types[entry["dtype"]])
            result[name] = values.reshape(entry["shape"]).astype(numpy.float64)
    return result


def batches():
    """The batches of all steps: four batches, repeated. The class determines the mean colour and the stripes of the
    noisy images."""
    random = numpy.random.default_rng(11)
    colour = random.standard_normal((CLASSES, 3, 1, 1))
    stripes = numpy.sin(numpy.arange(SIDE) * (numpy.arange(CLASSES)[:, None] + 1) / 4)[:, None, None, :]
    labels = random.integers(0, CLASSES, (4, BATCH))
    images = colour[labels] + stripes[labels] + 0.5 * random.standard_normal((4, BATCH, 3, SIDE, SIDE))
    order = numpy.arange(STEPS) % 4
    return images.astype(numpy.float32)[order], labels[order]


def optimizer_step(name, lr, parameters, state):
    """One optimiser step, written out. rmsprop_tf is TensorFlow's RMSProp: the mean square starts at 1, epsilon is
    inside the root, the learning rate inside the momentum."""
    with torch.no_grad():
        for i, p in enumerate(parameters):
            square, velocity = state.setdefault(i, (torch.ones_like(p), torch.zeros_like(p)))
            if name == "sgd":
                velocity.mul_(MOMENTUM).add_(p.grad)
                p.sub_(lr * velocity)
            else:
                square.mul_(DECAY).add_((1 - DECAY) * p.grad * p.grad)
                velocity.mul_(MOMENTUM).add_(lr * p.grad / torch.sqrt(square + EPSILON))
                p.sub_(velocity)
            p.grad = None


def network(name):
    """torchvision's network, without dropout and stochastic depth."""
    model = getattr(torchvision.models, name)(num_classes=CLASSES)
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return model


def initial_state(row):
    name, smooth, _ = ROWS[row]
    torch.manual_seed(3)
    model = network(name)
    if smooth:
        # Standard deviation 1 around 3: some values are outside of 0 to 6, but few are near these points.
        for before, after in zip(list(model.modules()), list(model.modules())[1:]):
            if isinstance(after, torch.nn.ReLU6):
                torch.nn.init.uniform_(before.weight, 0.8, 1.0)
                torch.nn.init.uniform_(before.bias, 2.0, 4.0)
    return model.state_dict()


def train(row, state, optimizer, dtype, layout):
    """Trains in PyTorch. Returns the losses of all steps, the gradients of the first step, and the state dict after
    it."""
    name, _, rates = ROWS[row]
    model = network(name)
    model.load_state_dict(state)
    model = model.to(dtype, memory_format=layout).train()
    images, labels = batches()
    losses, slots, gradients, first = [], {}, None, None
    for step in range(STEPS):
        logits = model(torch.from_numpy(images[step]).to(dtype).contiguous(memory_format=layout))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels[step]))
        losses.append(loss.item())
        loss.backward()
        if step == 0:
            gradients = {key: p.grad.clone() for key, p in model.named_parameters()}
        optimizer_step(optimizer, rates[optimizer], list(model.parameters()), slots)
        if step == 0:
            first = {key: value.clone() for key, value in model.state_dict().items()}
    return numpy.array(losses), gradients, first


@pytest.fixture(scope="module")
def initial(effnet, tmp_path_factory):
    """initial(row): PyTorch's initial state dict, the same as a model file, and a function that writes a state dict as
    a model file with effnet's names."""
    made = {}

    def make(row):
        if row not in made:
            folder = tmp_path_factory.mktemp(row)
            state = initial_state(row)

            def as_model(values, file):
                torch.save(values, folder / "state.pth")
                effnet.json("import", folder / "state.pth", "--arch", ROWS[row][0], "--classes", CLASSES, "-o", folder / file)
                return folder / file

            made[row] = (state, as_model(state, "initial.safetensors"), as_model)
        return made[row]
    return make


@pytest.fixture(scope="module")
def pytorch(initial):
    """pytorch(row, optimizer, precision): PyTorch's losses, its gradients under effnet's names, and the state dict
    after the first step."""
    precisions = {"fused": (torch.float32, torch.contiguous_format), "plain": (torch.float32, torch.channels_last),
                  "double": (torch.float64, torch.contiguous_format)}
    made = {}

    def make(row, optimizer, precision):
        key = row, optimizer, precision
        if key not in made:
            state, _, as_model = initial(row)
            losses, gradients, first = train(row, state, optimizer, *precisions[precision])
            # The gradients are imported like weights, which gives them effnet's names.
            values = {**state, **{name: gradient.float() for name, gradient in gradients.items()}}
            named = read_safetensors(as_model(values, "gradients.safetensors"))
            named = {name: value for name, value in named.items() if not name.endswith(("running_mean", "running_var"))}
            made[key] = losses, named, first
        return made[key]
    return make


@pytest.fixture
def run(initial, replay, tmp_path):
    """run(row, optimizer, kernels): the output of parity_replay."""
    def replayed(row, optimizer, kernels):
        images, labels = batches()
        write_safetensors(tmp_path / "batches.safetensors", {"images": images, "labels": labels})
        out = tmp_path / "out.safetensors"
        command = [replay, initial(row)[1], tmp_path / "batches.safetensors", out, optimizer, ROWS[row][2][optimizer], kernels]
        result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
        assert result.returncode == 0, result.stderr
        return read_safetensors(out)
    return replayed


def norm(values):
    return float(numpy.sqrt((values ** 2).sum()))


def compare_gradients(ours, theirs, exact, bound):
    """The largest relative difference of all tensors: norm of the difference / norm of the tensor. `exact` are the
    float64 gradients, which show the ones that are zero in exact arithmetic."""
    assert {"gradient/" + key for key in theirs} == {key for key in ours if key.startswith("gradient/")}
    zeros, worst = 0, 0.0
    for key, expected in theirs.items():
        scale = norm(expected)
        if key.endswith(".bn.bias") and norm(exact[key]) < 1e-2 * norm(exact[key[:-4] + "weight"]):
            # The next batch norm removes a shift: completely, or almost completely after a ReLU6 that changes few
            # values. So this gradient is nearly zero, and its rounding error is compared with the gradient of the
            # scale.
            zeros += norm(exact[key]) < 1e-9 * norm(exact[key[:-4] + "weight"])
            scale = norm(theirs[key[:-4] + "weight"])
        difference = norm(ours["gradient/" + key] - expected) / scale
        assert difference <= bound, (key, difference)
        worst = max(worst, difference)
    # A block ends with a batch norm without activation, so the next batch norm removes its bias, except in the last
    # block.
    assert zeros > 0 and zeros <= sum(key.endswith("project.bn.bias") for key in theirs)
    return worst


@pytest.mark.parametrize("row, optimizer, kernels",
                         [pytest.param(*r, id="-".join(r), marks=[pytest.mark.slow] * ("-".join(r) not in FAST)) for r in RUNS])
def test_parity(initial, pytorch, run, row, optimizer, kernels):
    ours = run(row, optimizer, kernels)
    losses, gradients, first = pytorch(row, optimizer, kernels)
    exact_losses, exact_gradients, _ = pytorch(row, optimizer, "double")
    smooth = row != "v2"
    worst = compare_gradients(ours, gradients, exact_gradients, RELATIVE) if smooth else float("nan")

    # A mean may be zero in exact arithmetic, so its error is relative to the standard deviation.
    moved = read_safetensors(initial(row)[2](first, "first.safetensors"))
    for key in moved:
        if key.endswith(".running_var"):
            mean = key[:-3] + "mean"
            assert norm(ours["first/" + key] - moved[key]) <= RELATIVE * norm(moved[key]), key
            assert norm(ours["first/" + mean] - moved[mean]) <= RELATIVE * norm(numpy.sqrt(moved[key])), mean

    # The bound of a step is ten times PyTorch's float32 error at this step. In a chaotic run this error may be small by
    # chance, so there the largest error so far is used.
    own = numpy.abs(losses - exact_losses)
    bounds = numpy.maximum(RELATIVE * losses, 10 * (own if smooth else numpy.maximum.accumulate(own)))
    differences = numpy.abs(ours["losses"] - losses)
    print(f"{row} {optimizer} {kernels}: gradients {worst:.1e}; losses (difference/bound) " +
          " ".join(f"{d / l:.0e}/{b / l:.0e}" for d, l, b in zip(differences, losses, bounds)))
    assert differences[0] <= RELATIVE * losses[0]
    assert (differences <= bounds).all(), list(zip(losses, ours["losses"], bounds))
    if smooth:
        assert numpy.abs(losses[-4:] - losses[:4]).max() > 10 * bounds.max(), "the losses changed too little"


@pytest.mark.parametrize("row", ["b0", pytest.param("v2", marks=pytest.mark.slow)])
def test_double(pytorch, run, row):
    """In float64 the only difference is the rounding of the file's values to float32 (2^-24)."""
    ours = run(row, "sgd", "double")
    losses, gradients, _ = pytorch(row, "sgd", "double")
    print(f"{row} in float64: gradients {compare_gradients(ours, gradients, gradients, 1e-6):.1e}")
    assert abs(ours["losses"][0] - losses[0]) <= 1e-9 * losses[0]
