"""Prints the reference of tests/engine/demo_model.rs, from torch in float64: lite0_reference.py WEIGHTS.pth
With a picture of 224x224 and two classes, that of tests/golden.rs: Grad-CAM of the one against the other, without the ReLU."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benches"))
from peers import Lite0  # noqa: E402

model = Lite0().eval()
model.load_state_dict(torch.load(sys.argv[1], map_location="cpu"))
if len(sys.argv) > 2:
    import numpy as np
    from PIL import Image

    picture = torch.from_numpy((np.asarray(Image.open(sys.argv[2]).convert("RGB"), np.float64) - 127) / 128)
    model.double().features.register_forward_hook(lambda module, inputs, out: seen.append(out))
    seen, (one, other) = [], map(int, sys.argv[3:])
    logits = model(picture.permute(2, 0, 1)[None])[0]
    gradient = torch.autograd.grad(logits[one] - logits[other], seen[0])[0]
    for row in (gradient.mean((2, 3), keepdim=True) * seen[0]).sum(1)[0].tolist():
        print("    [" + ", ".join(f"{value:.6}" for value in row) + "],")
    sys.exit()
c, y, x = torch.meshgrid(torch.arange(3), torch.arange(224), torch.arange(224), indexing="ij")
# Exact in float32, so that the test can make the very same picture.
picture = ((((x * y // 16 + 60 * c) % 256) - 127) / 128).double()[None]
with torch.no_grad():
    logits = model.double()(picture)[0]
values, classes = logits.topk(8)
print(", ".join(f"({c}, {v:.6})" for c, v in zip(classes.tolist(), values.tolist())))
print(f"lowest ({int(logits.argmin())}, {float(logits.min()):.6})")
