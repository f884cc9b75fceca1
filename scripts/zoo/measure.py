"""Measures gradcam on every torchvision architecture against torch and pytorch-grad-cam: measure.py GRADCAM FOLDER TABLE.md [MODEL...]

Files and rows are kept in FOLDER; a row that is there is not measured again (delete FOLDER/rows.json to begin anew).
`make zoo` calls this. ORT_DYLIB_PATH names ONNX Runtime for gradcam.
"""

import json
import subprocess
import sys
from pathlib import Path

import models
import numpy as np
import onnx
import onnxruntime
import reference
import table
import torch


class Failed(Exception):
    """What gradcam, an exporter or the comparison said."""


def gradcam(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return done.stdout


def values(path, x, names):
    """Tensors of the file, as ONNX Runtime computes them."""
    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(names, {session.get_inputs()[0].name: x})


def correlation(one, other):
    """Pearson's, over the cells; None where a map is flat."""
    one, other = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if one.size != other.size or not one.any() or not other.any() or one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


class Case:
    """One exported file beside the model it came from."""

    def __init__(self, program, folder, name, exporter):
        self.program, self.path, self.tensor = program, folder / f"{name}.{exporter}.onnx", folder / "x.npy"
        self.map = folder / "map.npy"
        model, self.x = models.build(name)
        np.save(self.tensor, self.x.numpy())
        try:
            models.export(model, self.x, self.path, exporter)
        except Exception as error:  # an exporter's failure is torch's, and a row of its own
            raise Failed(f"not exported: {str(error).splitlines()[0][:80]}") from error
        self.truth = reference.Reference(model, self.x)
        self.nodes = len(onnx.load(self.path, load_external_data=False).graph.node)

    def explain(self, layer, target, method):
        words = ["--raw", self.map, "--target-layer", layer, "--target-class", target, "--method", method]
        gradcam(self.program, "explain", self.path, self.tensor, "--no-self-check", *words)
        return np.load(self.map)[0, 0]

    def at(self, layer, methods):
        """Correlation of each method's map with the reference at a layer."""
        tensor, distance = self.truth.find(values(self.path, self.x.numpy(), [layer])[0])
        if distance > 1e-3:
            raise Failed(f"no tensor of torch's has the values of {layer} (nearest: {distance:.0e})")
        # random weights: the classes speak for or against the picture by chance, and the best may have an empty map
        for target in self.truth.logits[0].topk(20).indices.tolist():
            gradient = self.truth.gradient(tensor, target)
            ours = self.explain(layer, target, "gradcam")
            a, g = (reference.pictures(t, ours.shape) for t in (tensor, gradient))
            if reference.cam("gradcam", self.x, a, g).any():
                break
        found = {}
        for method in methods:
            ours = self.explain(layer, target, method)
            truth = reference.cam(method, self.x, a, g)
            # the sign of a singular vector is a convention
            pairs = [truth, np.maximum(-reference.projection(a), 0)] if method == "eigencam" else [truth]
            found[method] = max((c for c in (correlation(ours, t) for t in pairs) if c is not None), default=None)
        return found


def measure(program, folder, name, exporter):
    case = Case(program, folder, name, exporter)
    seen = json.loads(gradcam(program, "inspect", case.path, "--json"))
    layer = seen["layer"]["tensor"]
    layers = [layer, *seen["other-layers"]]
    middle = layers[len(layers) // 2]
    known = gradcam(program, "explain", "--help")
    methods = [method for method in reference.METHODS if method in known]
    bench = json.loads(gradcam(program, "bench", case.path, "--json", "--runs", 30))
    alone = [row for row in bench["inference"] if row["company"] == "alone in the process"]
    row = {
        "nodes": case.nodes,
        "layer": layer,
        "grid": seen["layer"].get("grid"),
        "missing": seen["operators"]["without-rule"],
        "self-check": seen["self-check"],
        "methods": case.at(layer, methods),
        "middle layer": middle,
        "middle": case.at(middle, ["gradcam"])["gradcam"],
        "load": bench["load"],
        "ratio": {row["threads"]: row["explained-ms"] / row["plain-ms"] for row in alone},
    }
    case.path.unlink()
    return row


def main():
    program, folder, page, *wanted = sys.argv[1:]
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    kept = folder / "rows.json"
    rows = json.loads(kept.read_text()) if kept.exists() else {}
    torch.set_num_threads(2)
    for name in wanted or models.SIZES:
        for exporter in models.EXPORTERS:
            key = f"{name} {exporter}"
            if key in rows and "failed" not in rows[key]:
                continue
            try:
                rows[key] = measure(program, folder, name, exporter)
            except Failed as failed:
                rows[key] = {"failed": str(failed)}
            print(key, table.line(key, rows[key]), flush=True)
            kept.write_text(json.dumps(rows, indent=1))
    Path(page).write_text(table.page(rows, {m.__name__: m.__version__ for m in (torch, onnx, onnxruntime)}))


if __name__ == "__main__":
    main()
