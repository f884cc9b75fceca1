"""Prints the reference of tests/engine/demo_model.rs, from torch in float64: lite0_reference.py WEIGHTS.pth"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benches"))
from peers import Lite0  # noqa: E402

model = Lite0().eval()
model.load_state_dict(torch.load(sys.argv[1], map_location="cpu"))
c, y, x = torch.meshgrid(torch.arange(3), torch.arange(224), torch.arange(224), indexing="ij")
# Exact in float32, so that the test can make the very same picture.
picture = ((((x * y // 16 + 60 * c) % 256) - 127) / 128).double()[None]
with torch.no_grad():
    logits = model.double()(picture)[0]
values, classes = logits.topk(8)
print(", ".join(f"({c}, {v:.6})" for c, v in zip(classes.tolist(), values.tolist())))
print(f"lowest ({int(logits.argmin())}, {float(logits.min()):.6})")
