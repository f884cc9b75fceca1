"""Writes docs/zoo.md from the measured rows: page.py FOLDER PAGE.md"""

import json
import statistics
import sys
from pathlib import Path

import models
from case import CLASSES, CLOSE, EVERY_METHOD, GOOD

ONE = 1 - 5e-7  # what six digits round to 1

HEAD = """\
# The zoo

Classifiers by the dozen, exported by us with random weights from one seed, and explained by `gradcam` with no option given.
`make zoo` makes this page; its scripts are in `scripts/zoo`.

{summary}

## torchvision, against torch

Every classification family of torchvision, small and large, by both exporters of torch. The reference is torch's own gradient, in
float64, at the very tensor that was explained (found by its values), and pytorch-grad-cam's formula on it. Correlations are Pearson's
over the cells, the lowest of {classes} classes: the best of those whose map is not empty, since random weights speak for or
against a picture by chance.

- *layer, grid*: the automatic choice. *P* marks those of pytorch-grad-cam's README; families without a mark are not in it.
- *auto*, *middle*: correlation of the Grad-CAM map at the automatic layer, and half-way between picture and score.
- *differences*: how far the gradient is from finite differences of the file's own score at either layer, as `gradcam inspect` prints it:
  in random directions, as a share of what such a direction shows. In the middle the differences cross kinks, which costs per cents;
  *drowned* are those that float32's rounding hides, where an untrained score hardly depends on the layer.
- *load*: opening, rewriting and self-checking, and how many times the creation of the model's plain session that is.
- *t1*, *t2*: explained inference over plain, on one thread and on two. Times are of a machine that did other things too; empty: not timed.

| model | exporter | nodes | layer, grid | without rule | auto | middle | differences | load | t1 | t2 |
|---|---|---|---|---|---|---|---|---|---|---|
"""

KINKS = """
Random weights put many activations onto the kinks of ReLU and max pooling, where rounding decides the side; batch normalisation
folded by an exporter rounds otherwise than torch. Where the middle is below {close}, torch's own map in float32 parts from the one in
float64 as far: {files}.
"""

METHODS = """
## Methods

At the automatic layer, the lowest correlation of three classes, each method against pytorch-grad-cam's formula on torch's float64
gradient, before any scaling. *versus* is the gradient of the difference of two logits, *counterfactual* of the negated one;
*fused* takes the automatic and the middle layer together, as `aggregate_multi_layers` does; *guided-gradcam* is the map, enlarged,
times `GuidedBackpropReLUModel`'s gradient, which knows networks with nn.ReLU only; *cam* is compared with Grad-CAM, where the head is
pooled and linear. Of both exports the lower.

"""


def number(value):
    if value is None:
        return ""
    return "1.000000" if value > ONE else f"{value:.6f}"


def check(text):
    """The figure in the self-check's sentence, or that there is none."""
    if "too small" in text:
        return "drowned"
    return text.partition("gradient within ")[2].partition(" ")[0] or text.partition("; ")[2]


def zoo_line(key, row):
    name, exporter = key.split()
    if "failed" in row:
        return f"| {name} | {exporter} | {row['failed']} | | | | | | | | |"
    layer = f"`{row['layer']}` {row['grid'].partition(' ')[0]}"
    cells = [name, exporter, row["nodes"], layer + (" P" if row["documented"] else "")]
    cells += [", ".join(row["missing"]) or "none", number(row["auto"]), number(row.get("middle"))]
    cells += [" / ".join(check(row[k]) for k in ("self-check", "middle check") if k in row)]
    if "load" in row:
        load = row["load"]
        cells += [f"{load['explained-ms']:.0f} ms, {load['explained-ms'] / load['plain-ms']:.1f}x"]
        cells += [f"{ratio:.3f}" for ratio in row["ratio"].values()]
    else:
        cells += ["", "", ""]
    return f"| {' | '.join(map(str, cells))} |"


def methods(rows):
    found = {name: [row["methods"] for key, row in rows.items() if key.split()[0] == name and "methods" in row] for name in EVERY_METHOD}
    found = {name: seen for name, seen in found.items() if seen}
    known = list(dict.fromkeys(method for seen in found.values() for one in seen for method in one))
    lines = [f"| method | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    lowest = 1.0
    for method in known:
        cells = []
        for seen in found.values():
            values = [one[method] for one in seen if one.get(method) is not None]
            cells.append(number(min(values, default=None)))
            lowest = min([lowest, *values])
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines), lowest


def elsewhere_table(rows):
    lines = ["\n## Other exporters\n"]
    lines.append("Random weights again; what is asked here is whether the file is explained with no option, and on which grid.")
    lines.append("Behind a name stands what was given to its library; *torchscript* and *dynamo* are torch's exporters, with timm's models,")
    lines.append("*keras* is Keras's own `export`, *tf2onnx* the same library for one picture.\n")
    lines += ["| model | exporter | layer, grid | self-check |", "|---|---|---|---|"]
    for key, row in sorted(rows.items()):
        name, exporter = key.split()
        if "failed" in row:
            lines.append(f"| {name} | {exporter} | {row['failed'][:150].replace('|', ' ')} | |")
        else:
            lines.append(f"| {name} | {exporter} | `{row['layer']}` {row['grid']} | {check(row['self-check'])} |")
    return "\n".join(lines)


def summary(rows, others, lowest_method):
    good = {key: row for key, row in rows.items() if "auto" in row and "failed" not in row}
    files, families = len(good), len({key.split()[0] for key in good})
    whole = [row for row in good.values() if not row["missing"] and row["method"] == "gradcam"]
    lines = [f"- **torchvision:** {len(whole)} of {len(rows)} files ({families} architectures) explained with no option given."]
    lines.append(f"- **At the automatic layer** the lowest correlation with torch is {min(r['auto'] for r in good.values()):.8f}.")
    middles = [row["middle"] for row in good.values() if "middle" in row]
    text = f"- **In the middle of the network** it is at least {GOOD} in {sum(m >= GOOD for m in middles)} of {len(middles)} files"
    lines.append(text + f"; lowest {min(middles):.6f}.")
    lines.append(f"- **Every method** agrees with its formula on torch's gradient to a correlation of at least {lowest_method:.6f}.")
    if timed := [ratio for row in good.values() if "ratio" in row for ratio in row["ratio"].values()]:
        loads = [row["load"]["explained-ms"] / row["load"]["plain-ms"] for row in good.values() if "load" in row]
        lines.append(f"- **Explained over plain inference:** median {statistics.median(timed):.3f}, highest {max(timed):.3f}.")
        lines.append(f"- **Load over plain load:** median {statistics.median(loads):.1f}, highest {max(loads):.1f}.")
    if others:
        for library in ("timm", "keras"):
            files = [row for row in others.values() if row["library"] == library]
            explained = sum("failed" not in row and not row["missing"] and row["method"] == "gradcam" for row in files)
            lines.append(f"- **{library}:** {explained} of {len(files)} files explained with no option given.")
    return "\n".join(lines)


def main():
    folder, page = map(Path, sys.argv[1:])
    read = lambda name: json.loads((folder / name).read_text()) if (folder / name).exists() else {}
    rows, others = read("rows.json"), read("elsewhere.json")
    order = {f"{name} {exporter}": i for i, (name, exporter) in enumerate((n, e) for n in models.SIZES for e in models.EXPORTERS)}
    rows = {key: rows[key] for key in sorted(rows, key=lambda key: order.get(key, len(order))) if {"auto", "failed"} & rows[key].keys()}
    table, lowest = methods(rows)
    text = HEAD.format(summary=summary(rows, others, lowest), classes=CLASSES)
    text += "\n".join(zoo_line(key, row) for key, row in rows.items()) + "\n"
    kinks = [f"{key} {number(row['torch float32'])}" for key, row in rows.items() if "torch float32" in row]
    text += KINKS.format(close=CLOSE, files=", ".join(kinks)) if kinks else ""
    text += METHODS + table + "\n"
    if others:
        text += elsewhere_table(others) + "\n"
    made = (Path(__file__).parent / "requirements.txt").read_text().replace("==", " ").split("\n")
    page.write_text(f"{text}\nMade with {', '.join(filter(None, made))}.\n")


if __name__ == "__main__":
    main()
