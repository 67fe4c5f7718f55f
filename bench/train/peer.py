"""Trains an EfficientNet-B0 in PyTorch: python peer.py RESOLUTION BATCH THREADS SECONDS eager|compiled.

Like training_bench: channels-last, float32, forward and backward passes without optimiser. Prints one line of JSON. The
network follows the paper's Table 1. Its padding is symmetric, which is faster in PyTorch than TensorFlow's SAME.
"""

import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
          (6, 3, 1, 320, 1))  # expand, kernel, stride, channels, repeats
DROP_PATH = 0.2


def conv_bn(inputs, outputs, kernel=1, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))


class MBConv(nn.Module):
    def __init__(self, inputs, expand, kernel, stride, outputs, drop):
        super().__init__()
        width = inputs * expand
        self.expand = conv_bn(inputs, width) if expand > 1 else None
        self.depthwise = conv_bn(width, width, kernel, stride, width)
        self.reduce, self.excite = nn.Conv2d(width, max(1, inputs // 4), 1), nn.Conv2d(max(1, inputs // 4), width, 1)
        self.project = conv_bn(width, outputs)
        self.residual, self.drop = stride == 1 and inputs == outputs, drop

    def forward(self, x):
        y = F.silu(self.expand(x)) if self.expand is not None else x
        y = F.silu(self.depthwise(y))
        gate = self.excite(F.silu(self.reduce(y.mean((2, 3), keepdim=True)))).sigmoid()
        y = self.project(y * gate)
        if not self.residual:
            return y
        keep = (torch.rand(x.shape[0], 1, 1, 1) >= self.drop).to(y.dtype) / (1 - self.drop)
        return x + y * keep


class B0(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.stem, channels, blocks, total = conv_bn(3, 32, 3, 2), 32, [], sum(row[4] for row in BLOCKS)
        for expand, kernel, stride, outputs, repeats in BLOCKS:
            for i in range(repeats):
                drop = DROP_PATH * len(blocks) / total
                blocks.append(MBConv(channels, expand, kernel, stride if i == 0 else 1, outputs, drop))
                channels = outputs
        self.blocks, self.head, self.classifier = nn.Sequential(*blocks), conv_bn(320, 1280), nn.Linear(1280, classes)

    def forward(self, x):
        x = F.silu(self.head(self.blocks(F.silu(self.stem(x)))))
        return self.classifier(F.dropout(x.mean((2, 3)), 0.2, self.training))


def main(resolution, batch, threads, seconds, mode):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = B0().to(memory_format=torch.channels_last).train()
    step = torch.compile(network) if mode == "compiled" else network
    images = torch.randn(batch, 3, resolution, resolution).to(memory_format=torch.channels_last)
    labels = torch.randint(1000, (batch,))
    times, spent = [], 0.0
    while len(times) < 3 or spent < seconds:
        start = time.perf_counter()
        F.cross_entropy(step(images), labels).backward()
        times.append(time.perf_counter() - start)
        network.zero_grad()
        spent += times[-1] if len(times) > 1 else 0  # the first step, which compiles, is not counted
    times = times[1:]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"best_ms": min(times) * 1e3, "median_ms": statistics.median(times) * 1e3, "runs": len(times),
                      "memory_mb": memory, "version": torch.__version__}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
