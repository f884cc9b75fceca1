"""One exported file beside the torch model that it came from: maps of `gradcam` against the reference's, at any layer."""

import models
import numpy as np
import onnx
import onnxruntime
import torch
from program import Failed, gradcam
from reference import FORMULAE, Grid, Reference, eigencam, formula, fused, resized

# Whose activations are all nn.ReLU modules, the only ones that pytorch-grad-cam's guided backpropagation knows; every method is
# compared on them, and on two networks of other kinds.
RELU = ("resnet18", "vgg11", "squeezenet1_1", "mnasnet0_5", "regnet_y_400mf")
EVERY_METHOD = (*RELU, "efficientnet_b0", "vit_b_32")
# Classes that are explained of each network, the best of those whose map is not empty: random weights speak for or against a
# picture by chance.
CLASSES, TRIED = 3, 20
SAME = 1e-3  # largest distance, relative to the norm, of tensors that are one and the same
GOOD, CLOSE = 0.999, 0.9999  # in the middle of a network; below CLOSE, torch in float32 is compared too


def values(path, x, name):
    """A tensor of the file, as ONNX Runtime computes it."""
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run([name], {session.get_inputs()[0].name: x})[0]


def correlation(ours, truth):
    """Pearson's, over the cells; 0 where ours is flat and the truth is not, None where the truth is."""
    ours, truth = np.asarray(ours, np.float64).ravel(), np.asarray(truth, np.float64).ravel()
    if ours.size != truth.size:
        raise Failed(f"a map of {ours.size} cells in place of {truth.size}")
    if truth.std() == 0:
        return None
    return float(np.corrcoef(ours, truth)[0, 1]) if ours.std() > 0 else 0.0


class Case:
    """The file, and the model in float64."""

    def __init__(self, program, folder, name, path):
        self.program, self.name, self.path = program, name, path
        self.tensor, self.map = folder / "x.npy", folder / "map.npy"
        self.model, self.x = models.build(name)
        np.save(self.tensor, self.x.numpy())
        self.truth = Reference(self.model, self.x)

    def explain(self, layers, targets, method, versus=None):
        """Maps [K, h, w] of the classes."""
        words = ["--raw", self.map, "--target-layer", ",".join(layers), "--method", method]
        words += ["--target-class", ",".join(map(str, targets))]
        words += ["--versus", versus] if versus is not None else []
        gradcam(self.program, "explain", self.path, self.tensor, "--no-self-check", *words)
        return np.load(self.map)[0]

    def at(self, layer):
        found = Place(self, layer)
        if found.distance > SAME:
            raise Failed(f"no tensor of torch's has the values of {layer} (nearest: {found.distance:.0e})")
        return found

    def documented(self, layer):
        """Whether the layer is the one that pytorch-grad-cam documents for the family; None where it documents none."""
        module = models.documented(self.model, self.name)
        if module is None:
            return None
        seen = []
        hook = module.register_forward_hook(lambda m, i, output: seen.append(output))
        with torch.no_grad():
            self.model(self.x)
        hook.remove()
        ours = torch.from_numpy(values(self.path, self.x.numpy(), layer))
        return seen[-1].shape == ours.shape and ((seen[-1] - ours).norm() / ours.norm()).item() < SAME


class Place:
    """A layer of a case: torch's tensor and its gradients."""

    def __init__(self, case, layer):
        self.case, self.layer = case, layer
        self.values = values(case.path, case.x.numpy(), layer)
        self.tensor, self.distance = case.truth.find(self.values)

    def choose(self):
        """The grid, and the classes whose Grad-CAM is not empty; at least one."""
        ranked = self.case.truth.logits[0].topk(TRIED).indices.tolist()
        self.grid = Grid(self.values.shape, self.case.explain([self.layer], ranked[:1], "gradcam").shape[1:])
        self.a = self.grid.pictures(self.tensor)
        self.targets = []
        for target in ranked:
            if formula("gradcam", self.case.x, self.a, self.gradient(target)).any():
                self.targets.append(target)
            if len(self.targets) == CLASSES:
                break
        if not self.targets:
            raise Failed(f"the maps of the {TRIED} best classes are empty at {self.layer}")
        return self

    def gradient(self, target, versus=None):
        return self.grid.pictures(self.case.truth.gradient(self.tensor, target, versus))

    def cam(self, target, method="gradcam", versus=None, sign=1):
        return formula(method, self.case.x, self.a, sign * self.gradient(target, versus))

    def lowest(self, ours, truths):
        seen = [correlation(one, truth) for one, truth in zip(ours, truths)]
        return min((c for c in seen if c is not None), default=None)

    def gradcam(self):
        """The lowest correlation of the classes' maps."""
        self.ours = self.case.explain([self.layer], self.targets, "gradcam")
        self.truths = [self.cam(target) for target in self.targets]
        return self.lowest(self.ours, self.truths)

    def methods(self, other):
        """Lowest correlations of all other methods; `other` is a second layer."""
        case, targets = self.case, self.targets
        explain = lambda method, *more: case.explain([self.layer], targets, method, *more)
        found = {m: self.lowest(explain(m), [self.cam(t, m) for t in targets]) for m in FORMULAE if m != "gradcam"}
        found["eigencam"] = self.lowest(explain("eigencam"), [eigencam(self.a)] * len(targets))
        # of the class against which all speaks, as the counterfactual of one that has a map may have none
        worst = case.truth.logits[0].argmin().item()
        turned = case.explain([self.layer], [worst, *targets], "counterfactual")
        found["counterfactual"] = self.lowest(turned, [self.cam(t, sign=-1) for t in (worst, *targets)])
        found["versus"] = self.lowest(explain("gradcam", worst), [self.cam(t, versus=worst) for t in targets])
        try:
            found["cam"] = self.lowest(explain("cam"), self.truths)
        except Failed:  # the head is not pooled and linear
            found["cam"] = None
        if other is not None:
            ours = case.explain([self.layer, other.layer], targets, "gradcam")
            found["fused"] = self.lowest(ours, [fused([self.cam(t), other.cam(t)]) for t in targets])
        if case.name in RELU:
            truths = [resized(self.cam(t), case.x.shape[2:]) * case.truth.guided(t) for t in targets]
            found["guided-gradcam"] = self.lowest(explain("guided-gradcam"), truths)
        return found

    def single(self):
        """The lowest correlation of torch's float32 maps with its float64 ones: what rounding does at the kinks of ReLU."""
        single = Reference(self.case.model, self.case.x, torch.float32)
        tensor, _ = single.find(self.values)
        gradients = [single.gradient(tensor, target) for target in self.targets]
        a, *gs = (self.grid.pictures(t) for t in (tensor, *gradients))
        return self.lowest([formula("gradcam", self.case.x, a, g) for g in gs], self.truths)
