"""Unpacks the files of a wheel that match a pattern, without their folders: unpack.py WHEEL FOLDER PATTERN..."""

import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

wheel, folder, *patterns = sys.argv[1:]
folder = Path(folder)
folder.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(wheel) as archive:
    for pattern in patterns:
        names = [name for name in archive.namelist() if fnmatch(name, pattern)]
        if not names:
            sys.exit(f"unpack.py: {wheel} holds nothing like {pattern}")
        for name in names:
            file = folder / Path(name).name
            # Renamed when whole: what is cut off half-way must not look finished to make.
            part = file.with_name(file.name + ".part")
            part.write_bytes(archive.read(name))
            part.rename(file)
