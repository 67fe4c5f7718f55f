"""Writes a network as ncnn's two files: PATH.param (text) and PATH.bin (weights, fp32).

Activations that ncnn can fuse into convolutions (relu, relu6, sigmoid) are written as fused. SiLU is ncnn's Swish
layer. The format has no batch dimension: images run one after another. """

import struct

FUSED = {"relu": " 9=1", "relu6": " 9=3 -23310=2,0.0,6.0", "sigmoid": " 9=4"}
FLOAT32 = struct.pack("<I", 0)  # the tag before a weight blob


def weights_path(path):
    return path.removesuffix(".param") + ".bin"


class _Layers:
    """The lines of the text file. In ncnn each blob has one consumer, so a result with several consumers gets a Split
    layer."""

    def __init__(self, net):
        self.lines, self.blobs, self.taken, self.uses = [], 0, {}, {}
        for op in net.ops:
            for i in op.ins:
                self.uses[i] = self.uses.get(i, 0) + 1

    def add(self, kind, name, ins, outs, parameters=""):
        self.lines.append(f'{kind:<24} {name:<24} {len(ins)} {len(outs)} {" ".join(ins + outs)} {parameters}'.rstrip())
        self.blobs += len(outs)

    def publish(self, name):
        n = self.uses.get(name, 0)
        if n > 1:
            self.add("Split", name + "_split", [name], [f"{name}_u{i}" for i in range(n)])

    def use(self, name):
        if self.uses[name] == 1:
            return name
        self.taken[name] = self.taken.get(name, -1) + 1
        return f"{name}_u{self.taken[name]}"


def write(net, path, batch):
    del batch
    layers, data = _Layers(net), []
    layers.add("Input", "x", [], ["x"], f"0={net.resolution} 1={net.resolution} 2=3")
    layers.publish("x")
    for op in net.ops:
        ins = [layers.use(i) for i in op.ins]
        apart = op.act == "silu" or (op.act and op.kind == "add")  # the activation is a separate layer
        raw = op.out + "_pre" if apart else op.out
        fused = FUSED.get(op.act, "")
        if op.kind in ("conv", "fc"):
            data += [FLOAT32, op.w.tobytes(), op.b.tobytes()]
        if op.kind == "conv" and not op.se:
            layers.add("ConvolutionDepthWise" if op.groups > 1 else "Convolution", op.out, ins, [raw],
                       f"0={op.co} 1={op.k} 3={op.s} 4={(op.k - 1) // 2} 5=1 6={op.w.size}" +
                       (f" 7={op.groups}" if op.groups > 1 else "") + fused)
        elif op.kind in ("conv", "fc"):
            layers.add("InnerProduct", op.out, ins, [raw], f"0={op.co} 1=1 2={op.w.size}" + fused)
        elif op.kind == "gap":
            layers.add("Pooling", op.out, ins, [raw], "0=1 4=1")
        elif op.kind == "maxpool":
            layers.add("Pooling", op.out, ins, [raw], f"0=0 1={op.k} 2={op.s} 3=1 5=1")
        else:
            layers.add("BinaryOp", op.out, ins, [raw], "0=2" if op.kind == "scale" else "0=0")
        if apart:
            layers.add({"silu": "Swish", "relu": "ReLU"}[op.act], op.out + "_act", [raw], [op.out])
        layers.publish(op.out)
    with open(weights_path(path), "wb") as file:
        file.writelines(data)
    with open(path, "w") as file:  # written last: if it exists, both files exist
        file.write(f"7767517\n{len(layers.lines)} {layers.blobs}\n" + "\n".join(layers.lines) + "\n")
