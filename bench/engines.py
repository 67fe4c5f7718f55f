"""The peers. Each loader loads a network in the engine's fastest configuration; it runs in worker.py's process only.

A loader gets the model file, the number of threads, the precision and the input x (batch x 3 x H x W, float32). It
returns a function that runs one inference and returns the logits. A further precision needs its name in `precisions`,
support in the loader, and a `format` that can hold it (model_files.py).
"""

from dataclasses import dataclass
from typing import Callable

import numpy as np


def load_ort(path, threads, precision, x):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    o.intra_op_num_threads = threads
    o.inter_op_num_threads = 1
    o.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    o.add_session_config_entry("session.force_spinning_stop", "1")  # threads spin during a run, not between turns
    o.log_severity_level = 3
    session = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    feed = {"x": x}
    return lambda: session.run(None, feed)[0]


def load_openvino(path, threads, precision, x):
    import openvino as ov
    import openvino.properties as p
    import openvino.properties.hint as h
    types = {"fp32": ov.Type.f32}
    config = {h.performance_mode(): h.PerformanceMode.LATENCY, p.inference_num_threads(): threads, "NUM_STREAMS": "1",
              h.inference_precision(): types[precision]}
    request = ov.Core().compile_model(path, "CPU", config).create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))

    def run():
        request.infer()
        return request.get_output_tensor(0).data

    return run


def load_litert(path, threads, precision, x):
    from ai_edge_litert.interpreter import Interpreter
    i = Interpreter(path, num_threads=threads)  # XNNPACK is its default delegate
    i.allocate_tensors()
    to, of = i.get_input_details()[0]["index"], i.get_output_details()[0]["index"]
    i.set_tensor(to, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))

    def run():
        i.invoke()
        return i.get_tensor(of)

    return run


def load_ncnn(path, threads, precision, x):
    import ncnn
    from bench import ncnn_file
    net = ncnn.Net()
    o = net.opt
    o.lightmode = True
    o.num_threads = threads
    o.use_winograd_convolution = o.use_sgemm_convolution = o.use_packing_layout = True
    o.use_int8_inference = o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = o.use_bf16_storage = False
    if hasattr(o, "use_bf16_packed"):
        o.use_bf16_packed = False
    o.use_vulkan_compute = False
    if net.load_param(path) or net.load_model(ncnn_file.weights_path(path)):
        raise RuntimeError("ncnn could not load the model")
    images = [ncnn.Mat(np.ascontiguousarray(v)) for v in x]

    def run():
        logits = []
        for image in images:
            e = net.create_extractor()
            e.input("x", image)
            logits.append(np.array(e.extract("y")[1]))
        return np.stack(logits)

    return run


@dataclass(frozen=True)
class Engine:
    title: str  # in the report
    package: str  # its version is in the report
    format: str  # of the model file, a key of model_files.WRITERS
    precisions: tuple
    load: Callable
    configuration: str  # its settings, one line for the report


ENGINES = {
    "ort": Engine("ONNX Runtime", "onnxruntime", "onnx", ("fp32",), load_ort,
                  "all graph optimisations, sequential execution, threads spin during a run"),
    "openvino": Engine("OpenVINO", "openvino", "onnx", ("fp32",), load_openvino,
                       "latency hint, one stream, precision hint f32"),
    "litert": Engine("LiteRT", "ai-edge-litert", "tflite", ("fp32",), load_litert,
                     "XNNPACK delegate; SiLU as LOGISTIC and MUL"),
    "ncnn": Engine("ncnn", "ncnn", "param", ("fp32",), load_ncnn,
                   "winograd, sgemm and packing on; the images of a batch run one after another"),
}
REFERENCE = "ort"  # the other peers' logits are compared with this peer's
