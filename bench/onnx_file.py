"""Writes a network as ONNX, opset 13, fp32. It encodes protobuf itself (six message types), so it needs no package.

Field numbers of onnx.proto: ModelProto 1 ir_version, 2 producer, 7 graph, 8 opset; GraphProto 1 node, 2 name,
5 initializer, 11 input, 12 output; NodeProto 1 input, 2 output, 3 name, 4 op_type, 5 attribute.
"""

import struct


def _varint(n):
    out = b""
    n &= (1 << 64) - 1
    while True:
        low, n = n & 127, n >> 7
        if not n:
            return out + bytes([low])
        out += bytes([low | 128])


def _integer(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


class _Graph:
    def __init__(self):
        self.nodes, self.initializers = [], []

    def tensor(self, name, dims, raw):
        """A float32 constant (data type 1)."""
        self.initializers.append(b"".join(_integer(1, d) for d in dims) + _integer(2, 1) + _bytes(8, name) +
                                 _bytes(9, raw))
        return name

    def node(self, op, ins, out, **attributes):
        b = b"".join(_bytes(1, i) for i in ins) + _bytes(2, out) + _bytes(3, out + "_n") + _bytes(4, op)
        for key, value in attributes.items():
            if isinstance(value, list):  # attribute type 7: ints
                b += _bytes(5, _bytes(1, key) + b"".join(_integer(8, v) for v in value) + _integer(20, 7))
            else:  # attribute type 2: int
                b += _bytes(5, _bytes(1, key) + _integer(3, value) + _integer(20, 2))
        self.nodes.append(b)
        return out

    def activation(self, x, act, out):
        if act == "silu":  # as exporters write it; engines with SiLU recognise the pair
            self.node("Sigmoid", [x], out + "_sig")
            self.node("Mul", [x, out + "_sig"], out)
        elif act == "relu6":
            low = self.tensor(out + "_lo", [], struct.pack("<f", 0.))
            high = self.tensor(out + "_hi", [], struct.pack("<f", 6.))
            self.node("Clip", [x, low, high], out)
        else:
            self.node({"relu": "Relu", "sigmoid": "Sigmoid"}[act], [x], out)


def _value(name, dims):
    shape = b"".join(_bytes(1, _integer(1, d)) for d in dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, _integer(1, 1) + _bytes(2, shape)))


def write(net, path, batch):
    graph = _Graph()
    for op in net.ops:
        raw = op.out + "_pre" if op.act else op.out
        square = {"kernel_shape": [op.k] * 2, "strides": [op.s] * 2, "pads": [(op.k - 1) // 2] * 4}
        if op.kind in ("conv", "fc"):
            constants = [graph.tensor(op.out + "_w", op.w.shape, op.w.tobytes()),
                         graph.tensor(op.out + "_b", [op.co], op.b.tobytes())]
        if op.kind == "conv":
            graph.node("Conv", op.ins + constants, raw, dilations=[1, 1], group=op.groups, **square)
        elif op.kind == "fc":
            graph.node("Flatten", op.ins, op.out + "_flat", axis=1)
            graph.node("Gemm", [op.out + "_flat"] + constants, raw, transB=1)
        elif op.kind == "gap":
            graph.node("GlobalAveragePool", op.ins, raw)
        elif op.kind == "maxpool":
            graph.node("MaxPool", op.ins, raw, **square)
        else:
            graph.node({"scale": "Mul", "add": "Add"}[op.kind], op.ins, raw)
        if op.act:
            graph.activation(raw, op.act, op.out)
    body = b"".join([_bytes(1, n) for n in graph.nodes] + [_bytes(2, net.name)] +
                    [_bytes(5, i) for i in graph.initializers] +
                    [_bytes(11, _value("x", [batch, 3, net.resolution, net.resolution])),
                     _bytes(12, _value("y", [batch, net.classes]))])
    with open(path, "wb") as file:
        file.write(_integer(1, 8) + _bytes(2, "effnet") + _bytes(8, _bytes(1, "") + _integer(2, 13)) + _bytes(7, body))
