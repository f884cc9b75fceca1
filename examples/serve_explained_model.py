"""An explained model without gradcam: numpy and ONNX Runtime are enough to serve it.

gradcam export MODEL.onnx EXPLAINED.onnx
python3 serve_explained_model.py EXPLAINED.onnx PICTURE [CLASS...]    (an index, or -1 = the best, -2 = the second best)
"""

import json
import os
import sys

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read as it is loaded
import onnxruntime
from PIL import Image, ImageOps

explained, picture, *classes = sys.argv[1:]
session = onnxruntime.InferenceSession(explained, providers=["CPUExecutionProvider"])
says = session.get_modelmeta().custom_metadata_map
shapes = {tensor.name: tensor.shape for tensor in session.get_inputs()}
height, width = shapes[says["gradcam.input"]][2:]

# As says["gradcam.resize-mode"] = "crop" asks for: the middle of the picture.
pixels = ImageOps.fit(Image.open(picture).convert("RGB"), (width, height), Image.Resampling.BILINEAR)
mean, std = (np.array(says[f"gradcam.{key}"].split(","), np.float32) for key in ["mean", "std"])
tensor = ((np.float32(pixels) / 255 - mean) / std).transpose(2, 0, 1)[None]

inputs = {says["gradcam.input"]: tensor, says["gradcam.name.target"]: np.array(classes or [-1], np.int64)}
names = [says[f"gradcam.name.{output}"] for output in ["class", "score", "map"]]
labels = says["gradcam.labels"].split("\n")
for index, score, heat in zip(*(output[0] for output in session.run(names, inputs))):
    print(json.dumps({"label": labels[index], "class": int(index), "score": float(score), "map": heat.tolist()}))
