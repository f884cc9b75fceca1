"""The architectures: torchvision's classification models, a small and a large one of each family, as ONNX files.

Weights are random, from one seed; batch statistics are settled on noise, so that activations keep the scale that training gives them.
"""

import warnings

import torch
import torchvision

EXPORTERS = ("torchscript", "dynamo")
# small and large, family by family; the size of the input where it is not 224
SMALL = {
    "alexnet": 224, "vgg11": 224, "resnet18": 224, "resnext50_32x4d": 224, "wide_resnet50_2": 224, "squeezenet1_1": 224,
    "densenet121": 224, "googlenet": 224, "inception_v3": 299, "shufflenet_v2_x0_5": 224, "mobilenet_v2": 224,
    "mobilenet_v3_small": 224, "mnasnet0_5": 224, "efficientnet_b0": 224, "efficientnet_v2_s": 224, "regnet_y_400mf": 224,
    "convnext_tiny": 224, "vit_b_32": 224, "swin_t": 224, "swin_v2_t": 256, "maxvit_t": 224,
}  # fmt: skip
LARGE = {
    "vgg19_bn": 224, "resnet50": 224, "resnet152": 224, "resnext101_32x8d": 224, "wide_resnet101_2": 224, "squeezenet1_0": 224,
    "densenet201": 224, "shufflenet_v2_x2_0": 224, "mobilenet_v3_large": 224, "mnasnet1_3": 224, "efficientnet_b4": 380,
    "efficientnet_v2_l": 480, "regnet_x_8gf": 224, "convnext_large": 224, "vit_b_16": 224, "vit_l_16": 224, "swin_b": 224,
    "swin_v2_b": 256,
}  # fmt: skip
SIZES = SMALL | LARGE


def build(name):
    """The model, in evaluation mode, and its input [1, 3, S, S]; both float32."""
    torch.manual_seed(0)
    settings = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torchvision.models.get_model(name, weights=None, **settings)
    size = SIZES[name]
    for head in (m for m in model.modules() if isinstance(m, torch.nn.Linear)):
        if not head.weight.any():  # a Vision Transformer's head starts at zero, and so would its gradient
            torch.nn.init.normal_(head.weight, std=0.02)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if getattr(module, "inplace", False):  # so that a tensor keeps the value that is compared
            module.inplace = False
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, size, size))
    return model.eval(), torch.randn(1, 3, size, size)


def export(model, x, path, exporter):
    """Writes the model as a user would: one picture, one fixed size, the exporter's usual opset."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
        else:
            torch.onnx.export(model, (x,), path, dynamo=False, opset_version=17)


# Layers that pytorch-grad-cam's README names, for the families that it names.
DOCUMENTED = {
    "resnet": "layer4", "resnext": "layer4", "wide_resnet": "layer4", "vgg": "features", "densenet": "features",
    "mnasnet": "layers", "vit": "encoder.layers/ln_1", "swin": "features/norm1",
}  # fmt: skip


def documented(model, name):
    """The module whose output pytorch-grad-cam's README explains for the family: the last of a container, or a part of it."""
    wanted = next((module for family, module in DOCUMENTED.items() if name.startswith(family)), None)
    if wanted is None:
        return None
    container, _, part = wanted.partition("/")
    module = list(model.get_submodule(container).children())[-1]
    if name.startswith("swin"):
        module = list(module.children())[-1]
    return module.get_submodule(part) if part else module
