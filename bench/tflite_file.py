"""Writes a network as a TFLite flatbuffer for LiteRT (XNNPACK), fp32, NHWC. Needs flatbuffers, and LiteRT's schema.

The op set has no SiLU, so SiLU is LOGISTIC and MUL. A convolution of stride 2 is PAD and a VALID convolution, because
SAME would not pad symmetrically as the other engines do. """

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as t

B, A = t.BuiltinOptions, t.ActivationFunctionType
FUSED = {"relu": A.RELU, "relu6": A.RELU6}


class _Model:
    def __init__(self):
        self.buffers, self.tensors, self.operators, self.codes = [t.BufferT()], [], [], []
        self.shape, self.index = {}, {}

    def tensor(self, name, dims, data=None, dtype=t.TensorType.FLOAT32):
        x = t.TensorT()
        x.name, x.shape, x.type, x.buffer = name, list(dims), dtype, 0
        if data is not None:
            buffer = t.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            x.buffer = len(self.buffers) - 1
        self.tensors.append(x)
        self.shape[name], self.index[name] = tuple(dims), len(self.tensors) - 1
        return name

    def integers(self, name, values):
        values = np.array(values, np.int32)
        return self.tensor(name, values.shape, values, t.TensorType.INT32)

    def add(self, kind, ins, out, dims, options=None, options_type=0):
        code = getattr(t.BuiltinOperator, kind)
        if code not in self.codes:
            self.codes.append(code)
        self.tensor(out, dims)
        o = t.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = self.codes.index(code), [self.index[i] for i in ins], [self.index[out]]
        o.builtinOptions, o.builtinOptionsType = options, options_type
        self.operators.append(o)
        return out

    def pad(self, x, p):
        n, h, w, c = self.shape[x]
        name = f"{x}_pad{len(self.operators)}"
        amount = self.integers(name + "_amount", [[0, 0], [p, p], [p, p], [0, 0]])
        return self.add("PAD", [x, amount], name, (n, h + 2 * p, w + 2 * p, c), t.PadOptionsT(), B.PadOptions)

    def constants(self, op, w):
        return [self.tensor(op.out + "_w", w.shape, w), self.tensor(op.out + "_b", (op.co,), op.b)]

    def conv(self, op, raw):
        x = op.ins[0]
        n, h, _, _ = self.shape[x]
        half, depthwise = (op.k - 1) // 2, op.groups > 1
        ho = (h + 2 * half - op.k) // op.s + 1
        if op.s > 1 and half:
            x = self.pad(x, half)
        o = t.DepthwiseConv2DOptionsT() if depthwise else t.Conv2DOptionsT()
        o.padding = t.Padding.SAME if op.s == 1 else t.Padding.VALID
        o.strideW = o.strideH = op.s
        o.dilationWFactor = o.dilationHFactor = 1
        o.fusedActivationFunction = FUSED.get(op.act, A.NONE)
        if depthwise:
            o.depthMultiplier = 1
        constants = self.constants(op, op.w.transpose(1, 2, 3, 0) if depthwise else op.w.transpose(0, 2, 3, 1))
        self.add("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x] + constants, raw, (n, ho, ho, op.co), o,
                 B.DepthwiseConv2DOptions if depthwise else B.Conv2DOptions)

    def fc(self, op, raw, batch):
        o = t.ReshapeOptionsT()
        o.newShape = [batch, op.ci]
        dims = self.integers(op.out + "_dims", [batch, op.ci])
        flat = self.add("RESHAPE", [op.ins[0], dims], op.out + "_flat", (batch, op.ci), o, B.ReshapeOptions)
        self.add("FULLY_CONNECTED", [flat] + self.constants(op, op.w), raw, (batch, op.co), t.FullyConnectedOptionsT(),
                 B.FullyConnectedOptions)

    def gap(self, op, raw, axes):
        o = t.ReducerOptionsT()
        o.keepDims = True
        n, _, _, c = self.shape[op.ins[0]]
        self.add("MEAN", [op.ins[0], axes], raw, (n, 1, 1, c), o, B.ReducerOptions)

    def maxpool(self, op, raw):
        n, h, _, c = self.shape[op.ins[0]]
        o = t.Pool2DOptionsT()
        o.padding, o.strideW, o.strideH, o.filterWidth, o.filterHeight = t.Padding.VALID, op.s, op.s, op.k, op.k
        ho = (h - 1) // 2 + 1
        # The input is a relu's result, so padding with zeros does not change a maximum.
        self.add("MAX_POOL_2D", [self.pad(op.ins[0], 1)], raw, (n, ho, ho, c), o, B.Pool2DOptions)

    def binary(self, op, raw):
        o = t.MulOptionsT() if op.kind == "scale" else t.AddOptionsT()
        o.fusedActivationFunction = FUSED.get(op.act, A.NONE)
        self.add("MUL" if op.kind == "scale" else "ADD", op.ins, raw, self.shape[op.ins[0]], o,
                 B.MulOptions if op.kind == "scale" else B.AddOptions)

    def save(self, path, name):
        g, m = t.SubGraphT(), t.ModelT()
        g.tensors, g.operators, g.name = self.tensors, self.operators, name
        g.inputs, g.outputs = [self.index["x"]], [self.index["y"]]
        m.version, m.subgraphs, m.buffers, m.description, m.operatorCodes = 3, [g], self.buffers, "effnet", []
        for code in self.codes:
            c = t.OperatorCodeT()
            c.builtinCode, c.version, c.deprecatedBuiltinCode = code, 1, min(code, 127)
            m.operatorCodes.append(c)
        b = flatbuffers.Builder(1 << 20)
        b.Finish(m.Pack(b), b"TFL3")
        with open(path, "wb") as file:
            file.write(b.Output())


def write(net, path, batch):
    model = _Model()
    model.tensor("x", (batch, net.resolution, net.resolution, 3))
    axes = model.integers("axes", [1, 2])
    for op in net.ops:
        raw = op.out + "_pre" if op.act in ("silu", "sigmoid") else op.out
        if op.kind == "conv":
            model.conv(op, raw)
        elif op.kind == "fc":
            model.fc(op, raw, batch)
        elif op.kind == "gap":
            model.gap(op, raw, axes)
        elif op.kind == "maxpool":
            model.maxpool(op, raw)
        else:
            model.binary(op, raw)
        if op.act == "sigmoid":
            model.add("LOGISTIC", [raw], op.out, model.shape[raw])
        elif op.act == "silu":
            model.add("LOGISTIC", [raw], op.out + "_sig", model.shape[raw])
            model.add("MUL", [raw, op.out + "_sig"], op.out, model.shape[raw], t.MulOptionsT(), B.MulOptions)
    model.save(path, net.name)
