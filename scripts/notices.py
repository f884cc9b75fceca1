"""Prints the licences of the crates that are linked into plugin and program: notices.py, in the project's root."""

import json
import subprocess
import sys
from pathlib import Path

host = next(line.split()[1] for line in subprocess.check_output(["rustc", "-vV"], text=True).splitlines() if "host:" in line)
said = subprocess.check_output(["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={host}"], text=True)
known = json.loads(said)
packages = {package["id"]: package for package in known["packages"]}
nodes = {node["id"]: node for node in known["resolve"]["nodes"]}

# What is linked: not what tests and build scripts need alone.
linked, open_ones = set(), [known["resolve"]["root"]]
while open_ones:
    package = open_ones.pop()
    if package not in linked:
        linked.add(package)
        kinds = ((needed["pkg"], [kind["kind"] for kind in needed["dep_kinds"]]) for needed in nodes[package]["deps"])
        open_ones += [needed for needed, kind in kinds if None in kind]

texts = {}
for package in sorted((packages[name] for name in linked if packages[name]["source"]), key=lambda package: package["name"]):
    print(f"{package['name']} {package['version']}: {package['license']}, {', '.join(package['authors']) or package['repository']}")
    folder = Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name.upper().startswith(("LICEN", "COPYING", "NOTICE")))
    for file in files:
        texts.setdefault(file.read_text(errors="replace").strip(), []).append(package["name"])
if len(linked) < 20:
    sys.exit("notices.py: hardly a crate was found")
for text, names in texts.items():
    print(f"\n{'-' * 80}\n{', '.join(dict.fromkeys(names))}:\n\n{text}")
