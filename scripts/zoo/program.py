"""The program `gradcam`, called as a user does."""

import json
import subprocess


class Failed(Exception):
    """What gradcam, an exporter or the comparison said."""


def gradcam(program, *words):
    """What it prints."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip() or f"ended with status {done.returncode}"
        raise Failed(said.splitlines()[-1])
    return done.stdout


def inspect(program, path, *words):
    return json.loads(gradcam(program, "inspect", path, "--json", *words))
