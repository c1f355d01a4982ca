#!/usr/bin/env python3
"""Fails where a source is not as clang-format leaves it; skipped where version 14 is not there.

Formatting differs from version to version, so it is this version that decides.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

from sources import code_files

VERSION = "14"


def tool():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
            if f"version {VERSION}." in said.stdout:
                return path
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=pathlib.Path, nargs="?",
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--fix", action="store_true", help="format the files in place")
    arguments = parser.parse_args()
    path = tool()
    if path is None:
        print(f"SKIPPED: clang-format {VERSION} is not installed")
        return 77
    files = [str(arguments.root / file) for file in code_files(arguments.root)]
    mode = ["-i"] if arguments.fix else ["--dry-run"]
    result = subprocess.run([path, *mode, "--style=file", *files], check=True, text=True,
                            capture_output=True)
    bad = sorted(set(re.findall(r"^(.+?):\d+:\d+: warning: code should be", result.stderr, re.M)))
    for file in bad:
        print(f"error  {pathlib.Path(file).relative_to(arguments.root)}: run clang_format.py --fix")
    print(f"clang-format: {len(files)} files {'formatted' if arguments.fix else 'checked'}, "
          f"{len(bad)} errors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
