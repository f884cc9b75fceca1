"""The reference: torch's own gradient, in float64, at the very tensor that gradcam explains, and pytorch-grad-cam's maps from it."""

import copy

import numpy as np
import pytorch_grad_cam
import torch
from program import Failed
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction
from torch.overrides import TorchFunctionMode

# Those whose pytorch-grad-cam implementation is what the paper says.
FORMULAE = {
    "gradcam": pytorch_grad_cam.GradCAM,
    "gradcampp": pytorch_grad_cam.GradCAMPlusPlus,
    "hirescam": pytorch_grad_cam.HiResCAM,
    "layercam": pytorch_grad_cam.LayerCAM,
    "xgradcam": pytorch_grad_cam.XGradCAM,
}


class Recorder(TorchFunctionMode):
    """Keeps every float tensor that a torch function returns, with its graph."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for one in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(one, torch.Tensor) and one.is_floating_point() and one.requires_grad:
                self.seen.append(one)
        return result


class Reference:
    """One forward pass, of which tensors are looked up by value."""

    def __init__(self, model, x, dtype=torch.float64):
        self.model = copy.deepcopy(model).to(dtype)
        self.x = x.clone().to(dtype).requires_grad_()
        with Recorder() as recorder:
            self.logits = self.model(self.x)
        self.seen = recorder.seen

    def find(self, values):
        """The tensor of these values, and the distance relative to their norm; (None, inf) where no shape fits."""
        values = torch.from_numpy(values).to(self.logits.dtype)
        norm = values.norm().clamp_min(1e-30)
        fits = [t for t in self.seen if t.shape == values.shape]
        near = [((t.detach() - values).norm() / norm).item() for t in fits]
        if not near:
            return None, float("inf")
        best = int(np.argmin(near))
        return fits[best], near[best]

    def gradient(self, tensor, target, versus=None):
        """Of a class's logit, or of its lead over another class."""
        score = self.logits[0, target] if versus is None else self.logits[0, target] - self.logits[0, versus]
        return torch.autograd.grad(score, tensor, retain_graph=True)[0]

    def guided(self, target):
        """pytorch-grad-cam's guided backpropagation to the picture: the largest magnitude of a pixel's channels, [H, W]."""
        model = pytorch_grad_cam.GuidedBackpropReLUModel(copy.deepcopy(self.model), "cpu")
        return np.abs(model(self.x.detach().clone(), target)).max(axis=2)


class Grid:
    """How a tensor of any layout lies on a map of `grid` cells; class tokens stand in front of the picture's."""

    def __init__(self, shape, grid):
        self.shape, (self.h, self.w) = tuple(shape), grid
        if len(shape) == 4 and tuple(shape[2:]) == tuple(grid):
            self.kind = "first"
        elif len(shape) == 4 and tuple(shape[1:3]) == tuple(grid):
            self.kind = "last"
        elif np.prod(shape[:-2]) == 1 and shape[-2] >= self.h * self.w:
            self.kind = "tokens"
        else:
            raise Failed(f"no grid of {self.h}x{self.w} in a tensor of shape {self.shape}")

    def pictures(self, tensor):
        """As [1, C, h, w]."""
        t = tensor.detach()
        if self.kind == "first":
            return t
        if self.kind == "last":
            return t.permute(0, 3, 1, 2)
        return t[..., t.shape[-2] - self.h * self.w :, :].transpose(-1, -2).reshape(1, -1, self.h, self.w)


def formula(method, x, a, g):
    """pytorch-grad-cam's map [h, w] after its ReLU, before any scaling, from activations and gradients [1, C, h, w]."""
    kind = FORMULAE[method](torch.nn.Linear(1, 1), [])  # the formula alone: no layer to hook
    return np.maximum(kind.get_cam_image(x, None, None, a.numpy(), g.numpy(), False)[0], 0)


def eigencam(a):
    """On the first singular vector, whose sign is the one that pytorch-grad-cam's correction takes."""
    return np.maximum(get_2d_projection_with_sign_correction(a.numpy())[0], 0)


def fused(maps):
    """Of several layers, as `aggregate_multi_layers` does, on the largest of their grids."""
    h, w = max((m.shape for m in maps), key=lambda shape: shape[0] * shape[1])
    return np.mean([scale_cam_image(m[None], (w, h))[0] for m in maps], axis=0)


def resized(map, size):
    """Bilinear between cell centres."""
    map = torch.from_numpy(map)[None, None]
    return torch.nn.functional.interpolate(map, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()
