"""The table `docs/zoo.md`, from the measured rows."""

import statistics

HEAD = """\
# The zoo

Every classification family of torchvision, exported by both of torch's exporters and explained with no option given. `make zoo`
writes this page. Weights are random, from one seed.

- *auto*: correlation of the Grad-CAM map at the automatic layer with the one from torch's own gradient in float64 at that tensor.
- *methods*: the lowest such correlation among the other methods, against pytorch-grad-cam's formulae.
- *middle*: as *auto*, half-way between picture and score. Random weights sit on the kinks of ReLU, where float32 and float64 may take
  different sides; *finite difference* says who is right: how far the gradient is from differences of the file's own scores.
- *load*: opening, explaining and self-checking, and how many times the creation of its plain session that is.
- *t1*, *t2*: explained inference over plain, on one thread and on two.

| model | exporter | nodes | layer, grid | without rule | auto | methods | middle | self-check | load | t1 | t2 |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def number(value):
    return "zero map" if value is None else f"{value:.6f}"


def line(key, row):
    name, exporter = key.split()
    if "failed" in row:
        return f"| {name} | {exporter} | {row['failed']} | | | | | | | | | |"
    others = [value for method, value in row["methods"].items() if method != "gradcam"]
    load = row["load"]
    cells = [
        name,
        exporter,
        row["nodes"],
        f"`{row['layer']}`, {row['grid']}",
        ", ".join(row["missing"]) or "none",
        number(row["methods"]["gradcam"]),
        lowest(others) if others else "",
        number(row["middle"]),
        row["self-check"],
        f"{load['explained-ms']:.0f} ms, {load['explained-ms'] / load['plain-ms']:.1f}x",
        *(f"{ratio:.3f}" for ratio in row["ratio"].values()),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def page(rows, versions):
    good = [row for row in rows.values() if "failed" not in row]
    lines = [line(key, row) for key, row in sorted(rows.items())]
    summary = f"\n{len(good)} of {len(rows)} files explained"
    if good:
        ratios = [ratio for row in good for ratio in row["ratio"].values()]
        summary += f"; lowest correlation at the automatic layer {lowest(row['methods']['gradcam'] for row in good)}, in the middle "
        summary += f"{lowest(row['middle'] for row in good)}; explained over plain: median {statistics.median(ratios):.3f}, "
        summary += f"highest {max(ratios):.3f}"
    made = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{HEAD}{chr(10).join(lines)}\n{summary}. Made with {made}.\n"


def lowest(correlations):
    return number(min((value for value in correlations if value is not None), default=None))
