#!/usr/bin/python3
"""Results of PyTorch's operations, for effnet/engine/reference_test.cc.

Run in this folder with Debian's torch 1.13: /usr/bin/python3 make_goldens.py. Writes ops.txt, with lines `CASE TENSOR
RANK DIM... VALUE...`. A value is the shortest text that gives the same float32. Inputs are multiples of 1/64, so they
are exact. Outputs are computed in float64 and rounded once. """
import numpy
import torch
import torch.nn.functional as F

torch.manual_seed(1)
lines = []


def inputs(*dims, scale=1.0):
    return torch.round(torch.randn(*dims, dtype=torch.float64) * 64 * scale) / 64


def write(case, **tensors):
    for name, tensor in tensors.items():
        values = tensor.to(torch.float32).numpy().ravel()
        dims = " ".join(str(d) for d in tensor.shape)
        text = " ".join(numpy.format_float_scientific(v, trim="-") for v in values)
        lines.append(f"{case} {name} {tensor.dim()} {dims} {text}")


def same(x, kernel, stride):
    """TensorFlow's SAME padding, as in timm's pad_same."""
    amounts = []
    for n in (x.shape[3], x.shape[2]):
        total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        amounts += [total // 2, total - total // 2]
    return F.pad(x, amounts)


x = inputs(2, 3, 7, 6)
w = inputs(4, 3, 3, 3)
b = inputs(4)
write("conv_symmetric", x=x, weight=w, bias=b, y=F.conv2d(x, w, b, stride=2, padding=1))
write("conv_same", x=x, weight=w, bias=b, y=F.conv2d(same(x, 3, 2), w, b, stride=2))
write("conv_valid", x=x, weight=w, bias=b, y=F.conv2d(x, w, b, stride=3))

x = inputs(1, 5, 8, 9)
w = inputs(5, 1, 5, 5)
write("depthwise_symmetric", x=x, weight=w, y=F.conv2d(x, w, padding=2, groups=5))
write("depthwise_same", x=x, weight=w, y=F.conv2d(same(x, 5, 2), w, stride=2, groups=5))

x = inputs(2, 4, 5, 3)
w = inputs(6, 2, 3, 3)
write("conv_groups", x=x, weight=w, y=F.conv2d(x, w, padding=1, groups=2))

x = inputs(1, 17, 3, 5)
w = inputs(9, 17, 1, 1)
write("conv_pointwise", x=x, weight=w, y=F.conv2d(x, w, stride=2))

x = inputs(2, 3, 7, 8)
write("max_pool", x=x, y=F.max_pool2d(x, 3, stride=2, padding=1))
write("average_pool_counted", x=x, y=F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=True))
write("average_pool_valid", x=x, y=F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False))
write("global_pool", x=x, y=x.mean((2, 3), keepdim=True))
write("pad_crop", x=x, y=F.pad(x, (-1, 1, 2, -3)))

mean, var, weight, bias = inputs(3), inputs(3).abs() + 0.25, inputs(3), inputs(3)
write("batch_norm", x=x, running_mean=mean, running_var=var, weight=weight, bias=bias,
      y=F.batch_norm(x, mean, var, weight, bias, eps=1e-3))

x = torch.cat([inputs(1, 1, 1, 60, scale=4), torch.tensor([[[[0, -0.0, 3, -3, 6, 100, -100, 1000, -1000, 1e-30]]]],
                                                          dtype=torch.float64)], 3)
write("relu", x=x, y=F.relu(x))
write("relu6", x=x, y=F.relu6(x))
write("silu", x=x, y=F.silu(x))
write("hard_swish", x=x, y=F.hardswish(x))
write("sigmoid", x=x, y=torch.sigmoid(x))

x = inputs(3, 11, 1, 1)
w, b = inputs(4, 11), inputs(4)
write("linear", x=x, weight=w, bias=b, y=F.linear(x.flatten(1), w, b).reshape(3, 4, 1, 1))

with open("ops.txt", "w") as out:
    out.write("\n".join(lines) + "\n")
