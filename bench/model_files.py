"""Model files for the peers. Each is written once and used by all cases."""

import hashlib
import json
import os

from bench import ncnn_file, networks, onnx_file

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ("networks.py", "onnx_file.py", "ncnn_file.py", "tflite_file.py")


def _write_tflite(net, path, batch):
    from bench import tflite_file  # needs LiteRT's schema, which may not be installed
    tflite_file.write(net, path, batch)


WRITERS = {"onnx": onnx_file.write, "param": ncnn_file.write, "tflite": _write_tflite}


class ModelFiles:
    """The folder's name is a hash of the writers' source, so that files of an older writer are not used."""

    def __init__(self, folder):
        digest = hashlib.sha256()
        for name in SOURCES:
            with open(os.path.join(HERE, name), "rb") as file:
                digest.update(file.read())
        self.folder = os.path.join(folder, digest.hexdigest()[:8])
        os.makedirs(self.folder, exist_ok=True)

    def prepare(self, model, resolution, batch, formats):
        """Writes the missing files. Building the network takes up to 30 s and is done once for all formats.
        Returns ({format: path, or the error that prevented writing it}, MACs of one image)."""
        stem = os.path.join(self.folder, f"{model}_{resolution}_n{batch}")
        paths = {format: f"{stem}.{format}" for format in formats}
        missing = [format for format, path in paths.items() if not os.path.exists(path)]
        costs = stem + ".json"
        if missing or not os.path.exists(costs):
            net = networks.build(model, resolution)
            for format in missing:
                unfinished = f"{stem}.unfinished.{format}"
                try:
                    WRITERS[format](net, unfinished, batch)
                except ImportError as error:
                    paths[format] = error
                    continue
                if format == "param":
                    os.replace(ncnn_file.weights_path(unfinished), ncnn_file.weights_path(paths[format]))
                os.replace(unfinished, paths[format])
            with open(costs, "w") as file:
                json.dump({"macs": net.macs}, file)
        with open(costs) as file:
            return paths, json.load(file)["macs"]
