#!/usr/bin/env python3
"""Each source of the libraries and of the command compiles by itself.

The presets compile the sources of a target together, where one can lean on what another includes;
who builds without them must not find that out. source_alone.py [--jobs N] [--build FOLDER]
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("core", "snapshot", "projections", "bindings", "cli")


def configured(build):
    """The commands of a build in which each source stands alone, with what it generates."""
    subprocess.run(["cmake", "--preset", "release", "-B", build, "-D", "CMAKE_UNITY_BUILD=OFF"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", build, "--target", "core/log/event.capnp.h"], check=True,
                   stdout=subprocess.DEVNULL)
    commands = json.loads((build / "compile_commands.json").read_text())
    return [one for one in commands
            if pathlib.Path(one["file"]).is_relative_to(ROOT)
            and pathlib.Path(one["file"]).relative_to(ROOT).parts[0] in FOLDERS]


def complaint(one):
    words = shlex.split(re.sub(r" -o \S+", "", one["command"]))
    if pathlib.Path(words[0]).name == "ccache":
        words.pop(0)
    done = subprocess.run([*words, "-fsyntax-only", "-w"], cwd=one["directory"],
                          capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/alone")
    arguments = parser.parse_args()
    sources = configured(arguments.build.resolve())
    if len(sources) < 100:
        sys.exit(f"only {len(sources)} sources were found: this check checks nothing")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        complaints = [text for text in pool.map(complaint, sources) if text]
    for text in complaints:
        print(text)
    print(f"sources alone: {len(sources)} compiled, {len(complaints)} errors")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
