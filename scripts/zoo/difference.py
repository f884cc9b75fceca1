"""Finite differences of the exported file's own score: which of two maps is the file's.

Before its ReLU a Grad-CAM map is, at a place p of Z, the sum over channels of (1/Z sum of dy/dA_k) A_k(p): so Z times it is the slope
of the score y when the layer moves along the activations at p, the same in every place. That slope needs no gradient, only runs
of the file from the layer on."""

import numpy as np
import onnx
import onnxruntime
import torch

CELLS = 12  # where the two maps differ most
STEPS = (1e-2, 3e-3, 1e-3, 3e-4)  # large ones cross kinks of ReLU and max pooling, small ones drown in float32


def tail(path, layer):
    """The network from the layer on: its activations and the picture in, logits out."""
    model = onnx.load(path)
    graph = model.graph
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == layer:
                node.input[i] = "moved"
    graph.input.append(onnx.helper.make_tensor_value_info("moved", onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [value.name for value in session.get_inputs() if value.name != "moved"]
    output = session.get_outputs()[0].name

    def logits(x, activations):
        return session.run([output], {names[0]: x, "moved": activations})[0][0].astype(np.float64)

    return logits


def errors(path, layer, x, activations, grid, target, ours, truth):
    """Mean distance of either map from the slopes, as a share of the map's largest value, where they differ most and are not cut
    off by the ReLU."""
    logits = tail(path, layer)
    a = grid.pictures(torch.from_numpy(activations)).numpy()[0]
    apart = np.where((ours > 0) & (truth > 0), np.abs(ours - truth), -1)
    cells = [np.unravel_index(i, apart.shape) for i in np.argsort(apart, axis=None)[::-1][:CELLS]]
    cells = [cell for cell in cells if apart[cell] >= 0]
    slopes = []
    for i, j in cells:
        along = grid.everywhere(a[:, i, j])
        taken = []
        for step in STEPS:
            ahead, behind = (logits(x, activations + sign * step * along)[target] for sign in (1, -1))
            taken.append((ahead - behind) / (2 * step) / apart.size)
        # the two steps that agree best
        closest = min(range(len(taken) - 1), key=lambda k: abs(taken[k] - taken[k + 1]))
        slopes.append((taken[closest] + taken[closest + 1]) / 2)
    at = tuple(np.array(cells).T)
    distance = lambda map: float(np.abs(map[at] - slopes).mean() / truth.max())
    return {"cells": len(cells), "gradcam off": distance(ours), "torch off": distance(truth)}
