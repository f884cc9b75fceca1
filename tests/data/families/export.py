#!/usr/bin/env python3
"""Makes the model files beside it: real torch exports of well-known classifiers, without their weights.

    pip install torch==2.15.0 torchvision==0.29.2 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy
    python export.py              # writes *.onnx here, then checks them
    python export.py --check      # checks what is here (needs numpy, onnx and onnxruntime only)

A file keeps its graph as the exporter wrote it, but every float initializer of more than 16 values has become an
input of the graph: the metadata entry `test.random` lists it, one a line, as `name low high`, and whoever loads the file
makes it an initializer again, of uniform noise in that range (`fill` below, and `tests/families.rs`, bit for bit the
same). The ranges
have each tensor's own mean and deviation, scaled so that every layer's output keeps the deviation that a calibrated
batch norm gives it: no gate saturates and no activation dies.
Inputs and hidden fully connected layers are smaller than the published ones; nothing else differs.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

HERE = Path(__file__).parent
KEEP = 16  # values up to which an initializer keeps its data
CLASSES = 100

# family: (input side, legacy opset or None, dynamo opset or None, batch axis dynamic in the legacy export)
FAMILIES = {
    "alexnet": (127, 13, 18, False),
    "densenet121": (96, 17, 20, False),
    "efficientnet_b0": (96, 13, 20, False),
    "googlenet": (96, 13, 18, True),
    "inception_v3": (139, 17, 18, False),
    "mnasnet0_5": (96, 13, 18, False),
    "mobilenet_v1": (96, 13, 18, True),
    "mobilenet_v2": (96, 13, 18, False),
    "mobilenet_v3_small": (96, 17, 20, False),
    "mobilenet_v3_small-13": (96, 13, None, False),  # HardSwish became an operator in opset 14
    "regnet_x_400mf": (96, 13, 18, False),
    "regnet_y_400mf": (96, 17, 20, False),
    "resnet18": (96, 13, 20, False),
    "resnet50": (96, 17, 18, False),
    "shufflenet_v2_x0_5": (96, 13, 18, True),
    "squeezenet1_1": (96, 17, 20, True),
    "vgg11_bn": (96, 13, 18, False),
}


def noise(name, count):
    """`count` float32 in [0, 1): splitmix64 from the FNV-1a hash of the name, the top 24 bits of each step."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def ranges(model):
    """`test.random` of a model, as {name: (low, high)}."""
    listed = next(p.value for p in model.metadata_props if p.key == "test.random")
    return {name: (np.float32(low), np.float32(high)) for name, low, high in (line.rsplit(" ", 2) for line in listed.splitlines())}


def fill(model):
    """Makes every input named in `test.random` an initializer again."""
    graph, found = model.graph, ranges(model)
    for value in [v for v in graph.input if v.name in found]:
        tensor = filling(value, *found[value.name])
        graph.initializer.append(numpy_helper.from_array(tensor, value.name))
        graph.input.remove(value)


def filling(value, low, high):
    """The noise for one input."""
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    return low + (high - low) * noise(value.name, int(np.prod(shape))).reshape(shape)


def strip(model):
    """Makes inputs of the large float initializers, and what says how the file came to be out of the rest."""
    lines = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= KEEP:
            continue
        middle, reach = values.mean(), np.sqrt(3) * values.std()
        low, high = middle - reach, middle + reach
        if values.min() > 0:  # a variance or a scale stays positive
            low = max(low, values.min())
        lines.append(f"{tensor.name} {low:.6g} {high:.6g}")
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
        model.graph.initializer.remove(tensor)
    del model.metadata_props[:]
    model.metadata_props.add(key="test.random", value="\n".join(lines))
    model.ClearField("doc_string")
    graph = model.graph
    del graph.metadata_props[:], graph.value_info[:]
    graph.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("doc_string")
        scopes = [p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        for value in scopes:
            node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=value)
    for value in [*graph.initializer, *graph.input, *graph.output]:
        del value.metadata_props[:]


def level(model):
    """Scales the ranges of each layer's parameters, first to last, until its output has deviation 1."""
    import onnxruntime as ort

    found = ranges(model)
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    layers = [n for n in bare.graph.node if n.op_type in ("Conv", "Gemm", "BatchNormalization") and n.input[1] in found]
    del bare.graph.output[:]
    bare.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n.output[0]) for n in layers)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(bare.SerializeToString(), options)
    feed = {v.name: filling(v, *found[v.name]) for v in bare.graph.input if v.name in found}
    feed["input"] = frame(model)
    done = set()
    for layer in layers:
        (value,) = session.run([layer.output[0]], feed)
        deviation = max(value.std(), 1e-6)
        for name in layer.input[1:3]:  # weight and bias, not the running mean and variance
            if name in found and name not in done:
                found[name] = tuple(bound / deviation for bound in found[name])
                feed[name] = feed[name] / deviation
                done.add(name)
    del model.metadata_props[:]
    model.metadata_props.add(key="test.random", value="\n".join(f"{n} {low:.6g} {high:.6g}" for n, (low, high) in found.items()))


def frame(model):
    """A picture of noise of the size that the model takes."""
    side = model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    return noise("frame", 3 * side * side).reshape(1, 3, side, side) * 4 - 2


def build(family):
    """The network: random weights from a fixed seed, batch norms calibrated on noise, in eval mode."""
    import torch
    import torchvision
    from torch import nn

    torch.manual_seed(1)
    arch = family.split("-")[0]
    if arch == "mobilenet_v1":
        net = mobilenet_v1()
    elif arch == "inception_v3":
        # The published weights come with transform_input, so real exports have its slices in front.
        net = torchvision.models.inception_v3(num_classes=CLASSES, aux_logits=False, transform_input=True, init_weights=False)
    elif arch == "googlenet":
        net = torchvision.models.googlenet(num_classes=CLASSES, aux_logits=False, transform_input=True, init_weights=False)
    else:
        net = torchvision.models.get_model(arch, num_classes=CLASSES)
    if arch.startswith("vgg"):
        net.avgpool = nn.AdaptiveAvgPool2d(3)
        shrink(net.classifier, 512 * 9)
    elif arch == "alexnet":
        net.avgpool = nn.AdaptiveAvgPool2d(3)
        shrink(net.classifier, 256 * 9)

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.momentum = None  # the plain mean over what was seen
    side = FAMILIES[family][0]
    net.eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    with torch.no_grad():
        net(torch.randn(16, 3, side, side))
    return net.eval()


def shrink(classifier, inputs, hidden=64):
    """Narrows the fully connected layers of `classifier`, whose weights would be most of the work of a test."""
    from torch import nn

    for at, module in enumerate(classifier):
        if isinstance(module, nn.Linear):
            classifier[at] = nn.Linear(inputs, module.out_features if module.out_features == CLASSES else hidden)
            inputs = hidden


def mobilenet_v1():
    """MobileNet v1 (Howard et al. 2017), which torchvision does not have, flattened by `view` as scripts of its time do."""
    from torch import nn

    def conv(inputs, outputs, kernel, stride=1, groups=1):
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))

    class MobileNetV1(nn.Module):
        def __init__(self):
            super().__init__()
            layers, width = [conv(3, 32, 3, 2)], 32
            for outputs, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
                layers += [conv(width, width, 3, stride, width), conv(width, outputs, 1)]
                width = outputs
            self.features = nn.Sequential(*layers)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(width, CLASSES)

        def forward(self, x):
            x = self.pool(self.features(x))
            return self.fc(x.view(x.size(0), -1))

    return MobileNetV1()


def export(family):
    """Writes the family's files, as both exporters make them."""
    import torch

    side, legacy, dynamo, dynamic = FAMILIES[family]
    net, example, path = build(family), torch.randn(1, 3, side, side), HERE / "tmp.onnx"
    for opset, new in [(legacy, False), (dynamo, True)]:
        if opset is None:
            continue
        words = {"dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}} if dynamic and not new else {}
        if new:
            words["external_data"] = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(net, (example,), path, dynamo=new, opset_version=opset, input_names=["input"], output_names=["logits"], verbose=False, **words)
        model = onnx.load(path)
        path.unlink()
        strip(model)
        level(model)
        onnx.save(model, HERE / f"{family}.{'dynamo' if new else 'legacy'}.onnx")


def check(path):
    """Runs a filled file: its logits must be finite and spread, and no layer dead."""
    import onnxruntime as ort

    model = onnx.load(path)
    fill(model)
    maps = [n.output[0] for n in model.graph.node if n.op_type in ("Relu", "Clip", "Sigmoid", "HardSwish", "Concat", "Conv")]
    seen = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(m) for m in maps if m not in seen)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options)
    logits, *rest = session.run(None, {"input": frame(model)})
    last = next(m for m in reversed(rest) if m.ndim == 4 and m.shape[-1] > 1)
    live = min((m != 0).mean() for m in rest if m.ndim == 4 and m.shape[-1] > 1)
    print(f"{path.name:32} {path.stat().st_size // 1024:4} kB  logits {logits.std():9.3g}  last {last.shape} {last.std():.3g}  least live {live:.2f}")
    assert np.isfinite(logits).all() and logits.std() > 1e-3 * abs(logits).max() > 0, path
    assert last.std() > 0 and live > 0.01, path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only check the files that are here")
    parser.add_argument("family", nargs="*", help="only these (default: all)")
    asked = parser.parse_args()
    if not asked.check:
        for name in asked.family or FAMILIES:
            export(name)
    for file in sorted(HERE.glob("*.onnx")):
        if not asked.family or file.name.rsplit(".", 2)[0] in asked.family:
            check(file)
