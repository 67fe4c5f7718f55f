"""The benchmark's networks as a list of ops, which all file writers read. Needs numpy.

EfficientNet B0-B7 and Lite0-Lite4, ResNet-50/101/152 and MobileNetV2, under effnet's names. Batch norm is folded.
Weights are random and scaled layer by layer, as batch norm would scale them: no overflow, no denormals, no growth of
rounding errors. So the engines' logits agree to 1e-6. effnet uses other weights: times do not depend on them, and
effnet's logits are compared with its own reference executor's. """

import math
from dataclasses import dataclass, field

import numpy as np

EFFICIENTNET = {  # width, depth, resolution
    "efficientnet_b0": (1.0, 1.0, 224), "efficientnet_b1": (1.0, 1.1, 240), "efficientnet_b2": (1.1, 1.2, 260),
    "efficientnet_b3": (1.2, 1.4, 300), "efficientnet_b4": (1.4, 1.8, 380), "efficientnet_b5": (1.6, 2.2, 456),
    "efficientnet_b6": (1.8, 2.6, 528), "efficientnet_b7": (2.0, 3.1, 600), "efficientnet_lite0": (1.0, 1.0, 224),
    "efficientnet_lite1": (1.0, 1.1, 240), "efficientnet_lite2": (1.1, 1.2, 260), "efficientnet_lite3": (1.2, 1.4, 280),
    "efficientnet_lite4": (1.4, 1.8, 300)}
EFFICIENTNET_STAGES = [  # kernel, stride, expansion, channels, repeats
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1)]
MOBILENET_V2_STAGES = [  # expansion, channels, repeats, stride
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
RESNET = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}  # repeats
MODELS = [*EFFICIENTNET, *RESNET, "mobilenet_v2"]
CLASSES = 1000


@dataclass
class Op:
    """One layer. kind: conv, fc, gap (global average pool), maxpool, scale (multiplication with one value per channel),
    add. act is applied to the result: "", silu, relu, relu6, sigmoid. Padding is (k - 1) / 2 on each side."""
    kind: str
    out: str
    ins: list
    act: str = ""
    ci: int = 0
    co: int = 0
    k: int = 1
    s: int = 1
    groups: int = 1
    se: bool = False  # in a squeeze-and-excitation branch, where the image is 1x1
    w: np.ndarray = None  # OIHW, or (out, in) for fc
    b: np.ndarray = None


@dataclass
class Network:
    """Ops in topological order. The input is named x (batch, 3, resolution, resolution), the logits y."""
    name: str
    resolution: int
    classes: int = CLASSES
    ops: list = field(default_factory=list)
    macs: int = 0  # of one image


def native_resolution(name):
    return EFFICIENTNET[name][2] if name in EFFICIENTNET else 224


def sample_input(batch, resolution, seed=7):
    return np.random.default_rng(seed).standard_normal((batch, 3, resolution, resolution), dtype=np.float32)


def plain_conv(x, w, s, groups):
    """Convolution of NCHW by plain loops. groups is 1 or the number of channels."""
    n, c, h, _ = x.shape
    co, _, k, _ = w.shape
    p = (k - 1) // 2
    ho = (h + 2 * p - k) // s + 1
    if k > 1:
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    y = np.zeros((n, co, ho, ho), np.float32)
    for i in range(k):
        for j in range(k):
            v = x[:, :, i:i + (ho - 1) * s + 1:s, j:j + (ho - 1) * s + 1:s]
            if groups > 1:
                y += v * w[None, :, 0, i, j, None, None]
            else:
                y += np.matmul(w[:, :, i, j], v.reshape(n, c, ho * ho)).reshape(n, co, ho, ho)
    return y


def activate(v, act):
    if act in ("silu", "sigmoid"):
        e = 1 / (1 + np.exp(-np.clip(v, -60, 60)))
        return v * e if act == "silu" else e
    return np.clip(v, 0, 6) if act == "relu6" else np.maximum(v, 0) if act == "relu" else v


class Builder:
    """Adds layers and their weights. Each convolution is applied to two random images of 224 px and scaled so that its
    output has mean 0 and standard deviation `gain`: per channel, or per tensor in squeeze-and-excitation."""

    def __init__(self, name, resolution, seed=1):
        self.net = Network(name, resolution)
        self.rng = np.random.default_rng(seed)
        self.pool = self.rng.standard_normal(1 << 20, dtype=np.float32)
        self.hw = {"x": resolution}
        self.values = {"x": sample_input(2, 224, 3)}

    def random(self, n, scale):
        start = int(self.rng.integers(1 << 19))
        return np.resize(np.roll(self.pool, -start), n).astype(np.float32) * np.float32(scale)

    def new_name(self, kind):
        return f"{kind}{len(self.net.ops)}"

    def conv(self, x, ci, co, k=1, s=1, groups=1, act="", gain=1.0, se=False):
        fan = ci // groups * k * k
        w = self.random(co * fan, 1 / math.sqrt(fan)).reshape(co, ci // groups, k, k)
        y = plain_conv(self.values[x], w, s, groups)
        if se:
            std, mean = np.full(co, y.std()), np.zeros(co)
        else:
            std, mean = y.std((0, 2, 3)), y.mean((0, 2, 3))
            std = np.maximum(std, .7 * np.median(std))
        # Rounded to three digits, so that all machines get the same weights.
        f = np.array([float(f"{gain / v:.3g}") for v in std], np.float32)
        b = np.array([float(f"{-m * q:.2e}") for m, q in zip(mean, f)], np.float32) + self.random(co, .05)
        op = Op("conv", self.new_name("conv"), [x], act, ci, co, k, s, groups, se, w * f[:, None, None, None], b)
        self.values[op.out] = activate(y * f[:, None, None] + b[:, None, None], act)
        h = (self.hw[x] + 2 * ((k - 1) // 2) - k) // s + 1
        self.net.macs += h * h * co * fan
        self.hw[op.out] = h
        self.net.ops.append(op)
        return op.out

    def simple(self, kind, ins, act="", se=False, hw=None, **attributes):
        op = Op(kind, self.new_name(kind), ins, act, se=se, **attributes)
        a = [self.values[i] for i in ins]
        v = (a[0].mean((2, 3), keepdims=True) if kind == "gap" else a[0][:, :, ::2, ::2] if kind == "maxpool" else
             a[0] * a[1] if kind == "scale" else a[0] + a[1])
        self.values[op.out] = activate(v, act)
        self.hw[op.out] = self.hw[ins[0]] if hw is None else hw
        self.net.ops.append(op)
        return op.out

    def classifier(self, x, ci):
        x = self.simple("gap", [x], hw=1)
        co = self.net.classes
        w = self.random(ci * co, 1 / math.sqrt(ci) / max(self.values[x].std(), 1e-3)).reshape(co, ci)
        self.net.ops.append(Op("fc", "y", [x], "", ci, co, w=w, b=self.random(co, .05)))
        self.net.macs += ci * co
        return self.net


def round_filters(c, width, d=8):
    n = max(d, int(c * width + d / 2) // d * d)
    return n + d if n < 0.9 * c * width else n


def efficientnet(name, resolution):
    width, depth, _ = EFFICIENTNET[name]
    lite = "lite" in name
    act = "relu6" if lite else "silu"
    b = Builder(name, resolution)
    c = 32 if lite else round_filters(32, width)
    x = b.conv("x", 3, c, 3, 2, act=act)
    for stage, (k, s0, e, co, n) in enumerate(EFFICIENTNET_STAGES):
        co = round_filters(co, width)
        if not (lite and stage in (0, 6)):
            n = math.ceil(n * depth)
        for i in range(n):
            s, inp, ce = (s0 if i == 0 else 1), x, c * e
            if e > 1:
                x = b.conv(x, c, ce, act=act)
            x = b.conv(x, ce, ce, k, s, ce, act=act)
            if not lite:
                squeezed = max(1, int(c * 0.25))
                p = b.simple("gap", [x], se=True, hw=1)
                p = b.conv(p, ce, squeezed, act="silu", se=True)
                p = b.conv(p, squeezed, ce, act="sigmoid", gain=.5, se=True)
                x = b.simple("scale", [x, p])
            residual = s == 1 and c == co
            x = b.conv(x, ce, co, gain=0.2 if residual else 1.0)
            if residual:
                x = b.simple("add", [x, inp])
            c = co
    head = 1280 if lite else round_filters(1280, width)
    return b.classifier(b.conv(x, c, head, act=act), head)


def resnet(name, resolution):
    b = Builder(name, resolution)
    x = b.conv("x", 3, 64, 7, 2, act="relu")
    x = b.simple("maxpool", [x], hw=(b.hw[x] - 1) // 2 + 1, k=3, s=2)
    c = 64
    for stage, n in enumerate(RESNET[name]):
        inner = 64 << stage
        for i in range(n):
            s, inp = (2 if stage and i == 0 else 1), x
            x = b.conv(x, c, inner, act="relu")
            x = b.conv(x, inner, inner, 3, s, act="relu")
            x = b.conv(x, inner, inner * 4, gain=.2)
            if i == 0:
                inp = b.conv(inp, c, inner * 4, 1, s)
            x = b.simple("add", [x, inp], "relu")
            c = inner * 4
    return b.classifier(x, c)


def mobilenet_v2(name, resolution):
    b = Builder(name, resolution)
    x, c = b.conv("x", 3, 32, 3, 2, act="relu6"), 32
    for e, co, n, s0 in MOBILENET_V2_STAGES:
        for i in range(n):
            s, inp = (s0 if i == 0 else 1), x
            if e > 1:
                x = b.conv(x, c, c * e, act="relu6")
            x = b.conv(x, c * e, c * e, 3, s, c * e, act="relu6")
            residual = s == 1 and c == co
            x = b.conv(x, c * e, co, gain=.2 if residual else 1.)
            if residual:
                x = b.simple("add", [x, inp])
            c = co
    return b.classifier(b.conv(x, c, 1280, act="relu6"), 1280)


def build(name, resolution=None):
    make = efficientnet if name in EFFICIENTNET else resnet if name in RESNET else mobilenet_v2
    if name not in MODELS:
        raise ValueError(f"unknown network (got {name}, expected one of {', '.join(MODELS)})")
    return make(name, resolution or native_resolution(name))
