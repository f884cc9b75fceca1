"""Checks `gradcam evaluate` against torch-cam and pytorch-grad-cam on the same maps: evaluate_peers.py GRADCAM MODEL.onnx PICTURE...

Each picture's centre square is brought to the model's size first, so that all see the same pixels; the peers then score the maps
that `gradcam evaluate --json` tells, on the same ONNX file. With a .json file in the place of pictures, patterns are scored and the
peers' figures written there: evaluate_peers.py GRADCAM tests/data/methods_relu.onnx tests/data/evaluate.json
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnxruntime
    import torch
    from PIL import Image
    from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
    from pytorch_grad_cam.metrics.road import ROADCombined
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
    from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric
except ImportError as error:
    sys.exit(f"evaluate_peers.py: {error}; `pip install torch torchcam grad-cam onnxruntime` installs all, in a virtual environment")

ROAD_PICTURES = 2  # its linear systems take minutes


class Network(torch.nn.Module):
    """The ONNX file, one picture at a time."""

    def __init__(self, path):
        super().__init__()
        self.session = onnxruntime.InferenceSession(path)
        self.name = self.session.get_inputs()[0].name

    def forward(self, x):
        return torch.cat([torch.from_numpy(self.session.run(None, {self.name: one[None].numpy()})[0]) for one in x])


class Given:
    """What torch-cam takes for an extractor, with a map that is known."""

    def __init__(self, model, cam):
        self.model, self.cam = model, cam

    def __call__(self, *_, **__):
        return [self.cam.clone()]

    def fuse_cams(self, cams):
        return cams[0]

    def _hooks_off(self):
        return torch.no_grad()


def scaled(cam):
    """As torch-cam normalises, and pytorch-grad-cam."""
    cam = torch.tensor(cam)[None]
    cam = cam - cam.min()
    return cam / (cam.max() + 1e-8)


def peers(network, x, cam, case, road):
    """The figures that torch-cam and pytorch-grad-cam give a map."""
    softmax = lambda logits: logits.softmax(-1)
    curves = DeletionInsertionMetric(Given(network, cam), softmax)
    curves.update(x, case["class"])
    confidence = ClassificationMetric(Given(network, cam), softmax)
    confidence.update(x, case["class"])
    figures = {
        "deletion": curves.summary()["deletion_auc"],
        "insertion": curves.summary()["insertion_auc"],
        "drop": confidence.summary()["avg_drop"],
        "increase": confidence.summary()["conf_increase"],
    }
    heat = torch.nn.functional.interpolate(cam[None], x.shape[2:], mode="bilinear", align_corners=False)[0].numpy()
    target = [ClassifierOutputSoftmaxTarget(case["class"])]
    whole = float(softmax(network(x))[0, case["class"]])
    figures["drop (pytorch-grad-cam)"] = float(DropInConfidence()(x, heat, target, network)[0]) / whole
    figures["increase (pytorch-grad-cam)"] = float(IncreaseInConfidence()(x, heat, target, network)[0])
    # where a tenth of the map is equally cold, its percentiles take everything away
    if road and np.percentile(heat, 10) > heat.min() and np.percentile(heat, 90) < heat.max():
        figures["road"] = float(ROADCombined()(x, heat, target, network)[0])
    return figures


def squares(pictures, folder, side):
    for path in map(Path, pictures):
        image = Image.open(path).convert("RGB")
        edge = min(image.size)
        left, top = ((length - edge) // 2 for length in image.size)
        image = image.crop((left, top, left + edge, top + edge)).resize((side, side), Image.BILINEAR)
        image.save(folder / f"{path.stem}.png")


def patterns(folder, side):
    """The pictures of the golden figures, by the same formula as in the test."""
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    for n in range(4):
        picture = (c * 67 + y * y * (n + 2) + x * 5 * (n + 1) + x * y) % 256
        Image.fromarray(picture.astype("uint8")).save(folder / f"{n}.png")


def main(gradcam, model, *pictures):
    golden = pictures[0] if pictures[0].endswith(".json") else None
    run = lambda *args: json.loads(subprocess.run([gradcam, *args, "--json"], check=True, capture_output=True).stdout)
    facts = run("inspect", model, "--no-self-check")["preprocessing"]
    side = facts["width"]
    mean, std = (torch.tensor(facts[name])[:, None, None] for name in ("mean", "std"))
    network, worst, rows, kept = Network(model), {}, 0, []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        patterns(folder, side) if golden else squares(pictures, folder, side)
        seen = run("evaluate", model, str(folder), "--compare", "gradcam,layercam,hirescam")
        for number, case in enumerate(seen["cases"]):
            pixels = torch.from_numpy(np.asarray(Image.open(folder / case["file"]).convert("RGB")).copy())
            x = ((pixels.permute(2, 0, 1).float() / 255 - mean) / std)[None]
            for name, row in case["rows"].items():
                if row["deletion"] is None:
                    continue
                figures = peers(network, x, scaled(row["map"]), case, golden or number < ROAD_PICTURES)
                rows += 1
                for figure, want in figures.items():
                    have = row["figures"][figure.split(" ")[0]]
                    # its four sides are equally hot: rounding decides which of them goes first
                    worst.setdefault(figure + (", centre" if name == "centre" else ""), []).append(abs(have - want))
                rounded = {figure: float(f"{value:.6g}") for figure, value in figures.items()}
                kept.append({"file": case["file"], "class": case["class"], "row": name, "map": row["map"], "figures": rounded})
    print(f"{rows} maps; largest and mean difference:")
    for figure, values in worst.items():
        print(f"{figure:<36} {max(values):.1e} {sum(values) / len(values):.1e} ({len(values)} maps)")
    if golden:
        versions = subprocess.run([sys.executable, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True)
        names = ("torch==", "torchcam==", "grad-cam==", "onnxruntime==")
        made = [line for line in versions.stdout.split() if line.startswith(names)]
        text = json.dumps({"made-with": made, "maps": kept}, separators=(",", ":"))
        Path(golden).write_text(text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
