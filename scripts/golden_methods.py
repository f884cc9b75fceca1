#!/usr/bin/env python3
"""Writes tests/data/methods.json and the two little networks it is about: what every method's map should be.

Run by hand, with torch, onnx and pytorch-grad-cam (grad-cam on PyPI): python scripts/golden_methods.py tests/data
Everything is computed in float64 by torch; pytorch-grad-cam's own formulae are applied to torch's activations and gradients
where it has the method, before its scaling. "maps" are those after the ReLU, "signed" those without it."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
SIDE, CLASSES = 32, 10


class Little(nn.Module):
    """Convolutions with activations between them, then a pooled head: linear, or with a hidden layer."""

    def __init__(self, acts, hidden):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 12, 3, 2, 1)
        self.conv3 = nn.Conv2d(12, 16, 3, 1, 1)
        self.act1, self.act2, self.act3 = (act() for act in acts)
        self.pool = nn.AvgPool2d(2) if hidden else nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Sequential(nn.Linear(256, 20), acts[2]()) if hidden else nn.Identity()
        self.fc = nn.Linear(20 if hidden else 16, CLASSES)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(m.weight)
                nn.init.normal_(m.bias, std=0.1)

    def forward(self, x):
        x = self.act2(self.conv2(self.act1(self.conv1(x))))
        x = self.pool(self.act3(self.conv3(x)))
        return self.fc(self.hidden(torch.flatten(x, 1)))


def picture(side=SIDE):
    """The same input as the test's, by a formula."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(side), np.arange(side), indexing="ij")
    return torch.from_numpy((((c * 7 + y * 3 + x * 5) % 23) + (y * x + c) % 7) / 14.0 - 1.0)[None]


class Guide(torch.autograd.Function):
    """What an activation becomes in guided backpropagation: its own derivative, where input and gradient are positive."""

    @staticmethod
    def forward(ctx, x, f):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            slope = torch.autograd.grad(f(leaf).sum(), leaf)[0]
        ctx.save_for_backward(x, slope)
        return f(x.detach())

    @staticmethod
    def backward(ctx, g):
        x, slope = ctx.saved_tensors
        return g.clamp(min=0) * (x > 0) * slope, None


ACTIVATIONS = (nn.ReLU, nn.SiLU, nn.GELU, nn.Hardswish, nn.ReLU6)


def guided(net, x, seed):
    """|R|, the largest of a pixel's channels."""
    acts = [m for m in net.modules() if isinstance(m, ACTIVATIONS)]
    own = [m.forward for m in acts]
    for m in acts:
        plain = type(m)()
        m.forward = lambda v, plain=plain: Guide.apply(v, plain)
    leaf = x.clone().requires_grad_(True)
    r = torch.autograd.grad((net(leaf) * seed).sum(), leaf)[0]
    for m, forward in zip(acts, own):
        m.forward = forward
    return r.abs().amax(1)[0]


def references(net, layers, x, seed, linear=None, masks=True, guide=True):
    """Maps by method, float64, after the ReLU and, of methods whose maps have either sign, without it; `seed` is the score's weights
    of the logits."""
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
    from pytorch_grad_cam.utils.image import scale_cam_image
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

    seen = {}
    hooks = [m.register_forward_hook(lambda m, i, o: seen.__setitem__(m, o)) for m in layers]
    with torch.enable_grad():
        score = (net(x.requires_grad_(True)) * seed).sum()
        acts = [seen[m] for m in layers]
        grads = torch.autograd.grad(score, acts)
    x.requires_grad_(False)
    [h.remove() for h in hooks]
    a = [v.detach().numpy() for v in acts]
    g = [v.numpy() for v in grads]
    image = lambda cls, i, g: cls.get_cam_image(cls.__new__(cls), x, layers[i], None, a[i], g[i], False)[0]
    for cls in (GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM):
        cls.__del__ = lambda self: None
    last = len(layers) - 1
    signed = {
        "gradcam": image(GradCAM, last, g),
        "hirescam": image(HiResCAM, last, g),
        "xgradcam": image(XGradCAM, last, g),
        "counterfactual": image(GradCAM, last, [-v for v in g]),
    }
    if linear is not None:
        weights = (seed @ linear.weight)[0].detach().numpy()
        signed["cam"] = np.einsum("c,chw->hw", weights, a[last][0])
    if masks:
        signed["recipro"] = recipro(net, layers[last], acts[last].detach(), x, seed)
        signed["differences"] = differences(net, layers[last], acts[last].detach(), x, seed)
    maps = {name: np.maximum(m, 0) for name, m in signed.items() if name != "differences"}
    maps["gradcampp"] = np.maximum(image(GradCAMPlusPlus, last, g), 0)
    maps["layercam"] = np.maximum(image(LayerCAM, last, g), 0)
    maps["eigencam"] = np.maximum(get_2d_projection_with_sign_correction(a[last])[0], 0)
    if len(layers) > 1:
        each = [image(GradCAM, i, g) for i in range(len(layers))]
        h, w = max((m.shape for m in each), key=lambda s: s[0] * s[1])
        maps["fused"] = np.mean([scale_cam_image(np.maximum(m, 0)[None], (w, h))[0] for m in each], axis=0)
        signed["fused"] = np.mean([enlarged(m / np.abs(m).max(), (h, w)) for m in each], axis=0)
    if guide:
        r = guided(net, x, seed).detach().numpy()
        for out in (maps, signed):
            out["guided-gradcam"] = enlarged(out["gradcam"], r.shape) * r
    return maps, signed


def enlarged(m, size):
    return F.interpolate(torch.from_numpy(m)[None, None], size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def with_layer(net, layer, x, seed):
    """The score as a function of the layer's activations, by runs of the network."""

    def score(kept):
        hook = layer.register_forward_hook(lambda m, i, o: kept)
        with torch.no_grad():
            y = float((net(x) * seed).sum())
        hook.remove()
        return y

    return score


def recipro(net, layer, a, x, seed):
    """One place of the layer at a time, each in a run of its own."""
    score = with_layer(net, layer, x, seed)
    nothing = score(torch.zeros_like(a))
    out = np.zeros(a.shape[2:])
    for i, j in np.ndindex(*out.shape):
        kept = torch.zeros_like(a)
        kept[:, :, i, j] = a[:, :, i, j]
        out[i, j] = score(kept) - nothing
    return out


def differences(net, layer, a, x, seed, step=1e-6):
    """How the score changes where the activations of one place grow by a small part of themselves: HiResCAM's map, without a
    gradient."""
    score = with_layer(net, layer, x, seed)
    out = np.zeros(a.shape[2:])
    for i, j in np.ndindex(*out.shape):
        moved = [a.clone(), a.clone()]
        for by, kept in zip((step, -step), moved):
            kept[:, :, i, j] *= 1 + by
        out[i, j] = (score(moved[0]) - score(moved[1])) / (2 * step)
    return out


def rounded(maps):
    return {name: [[float(f"{v:.6g}") for v in row] for row in np.asarray(m)] for name, m in maps.items()}


def main(folder):
    golden = {"nets": []}
    # classes whose maps are not empty
    nets = [
        ("relu", [nn.ReLU] * 3, True, 2, 6),
        ("silu", [nn.SiLU] * 3, False, 2, 5),
        ("mixed", [nn.GELU, nn.Hardswish, nn.ReLU6], True, 2, 6),
    ]
    for name, acts, hidden, one, other in nets:
        torch.manual_seed(3)
        net = Little(acts, hidden).eval()
        file = f"methods_{name}.onnx"
        torch.onnx.export(
            net, picture().float(), folder / file, dynamo=False, opset_version=17, input_names=["x"], output_names=["logits"]
        )
        net = net.double()
        cases = []
        for target, versus in [(one, None), (other, None), (one, other)]:
            seed = torch.zeros(1, CLASSES, dtype=torch.float64)
            seed[0, target] = 1
            if versus is not None:
                seed[0, versus] -= 1
            maps, signed = references(net, [net.act2, net.act3], picture(), seed, None if hidden else net.fc)
            if target == other:
                del maps["guided-gradcam"]
            if versus is None:
                del signed["guided-gradcam"]
            cases.append({"class": target, "versus": versus, "maps": rounded(maps), "signed": rounded(signed)})
        golden["nets"].append({"file": file, "cases": cases})
    (folder / "methods.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
