"""Measures gradcam on torchvision's architectures against torch: measure.py PROGRAM FOLDER [--timings] [MODEL...]

Without --timings: is every file explained with no option, and is the map right; with it: load and inference against the plain
model's, on a machine that does nothing else. Exported files and rows stay in FOLDER; what has its row is not measured again (delete
FOLDER/rows.json to begin anew), and a file that has both is deleted. page.py makes docs/zoo.md of the rows. ORT_DYLIB_PATH names
ONNX Runtime for gradcam."""

import argparse
import json
import time
from pathlib import Path

import case
import models
import onnx
import torch
from program import Failed, gradcam, inspect


def exported(folder, name, exporter):
    """The file, made where it is not there."""
    path = folder / f"{name}.{exporter}.onnx"
    if not path.exists():
        try:
            models.export(*models.build(name), path, exporter)
        except Exception as error:  # an exporter's failure is torch's, and a row of its own
            path.unlink(missing_ok=True)
            raise Failed(f"not exported: {str(error).splitlines()[0][:80]}") from error
    return path


def is_right(program, folder, name, path):
    """What is found with no option, and how close its maps are."""
    seen = inspect(program, path)
    layer, others = seen["layer"]["tensor"], seen["other-layers"]
    row = {
        "nodes": len(onnx.load(path, load_external_data=False).graph.node),
        "layer": layer,
        "grid": seen["layer"]["grid"],
        "method": seen["method"],
        "missing": sorted(seen["operators"]["without-rule"]),
        "self-check": seen["self-check"]["text"],
    }
    here = case.Case(program, folder, name, path)
    row["documented"] = here.documented(layer)
    place = here.at(layer).choose()
    row["auto"] = place.gradcam()
    middle = in_the_middle(here, [layer, *others])
    if middle is not None:
        row["middle layer"], row["middle"] = middle.layer, middle.gradcam()
        row["middle check"] = inspect(program, path, "--target-layer", middle.layer)["self-check"]["text"]
        if row["middle"] < case.CLOSE:
            row["torch float32"] = middle.single()
    if name in case.EVERY_METHOD:
        if middle is not None:
            middle.targets = place.targets
        row["methods"] = place.methods(middle)
    return row


def in_the_middle(here, layers):
    """The layer half-way, or the nearest that torch has too and where some class has a map."""
    half = len(layers) // 2
    for layer in sorted(layers[1:], key=lambda layer: abs(layers.index(layer) - half)):
        try:
            return here.at(layer).choose()
        except Failed:
            continue
    return None


def timings(program, path):
    runs = 10 if path.stat().st_size > 100_000_000 else 30
    bench = json.loads(gradcam(program, "bench", path, "--json", "--runs", runs))
    alone = [row for row in bench["inference"] if row["company"] == "alone in the process"]
    return {"load": bench["load"], "ratio": {row["threads"]: row["explained-ms"] / row["plain-ms"] for row in alone}}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program")
    words.add_argument("folder", type=Path)
    words.add_argument("--timings", action="store_true")
    words.add_argument("models", nargs="*")
    asked = words.parse_intermixed_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = asked.folder / "rows.json"
    for name in asked.models or models.SIZES:
        for exporter in models.EXPORTERS:
            rows = json.loads(kept.read_text()) if kept.exists() else {}
            row = rows.get(f"{name} {exporter}", {})
            if ("ratio" if asked.timings else "auto") in row:
                continue
            began = time.monotonic()
            try:
                path = exported(asked.folder, name, exporter)
                if asked.timings:
                    row |= timings(asked.program, path)
                else:
                    row |= is_right(asked.program, asked.folder, name, path)
                row.pop("failed", None)
                if "ratio" in row and "auto" in row:
                    path.unlink()  # nothing is left to measure
            except Failed as failed:
                row["failed"] = str(failed)
            rows[f"{name} {exporter}"] = row
            kept.write_text(json.dumps(rows, indent=1))
            print(f"{name} {exporter} {time.monotonic() - began:.0f} s: {json.dumps(row)}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
