#!/usr/bin/env python3
"""Fails where code compiles that the types are there to refuse.

Each file of compile_fail/ compiles as it is, and does not with DAYBOOK_MUST_FAIL=<n> for any n of
its `// must fail <n>: <pattern>` lines; the compiler's message must match the pattern, so that it
fails for the right reason.
"""

import argparse
import pathlib
import re
import subprocess
import sys

LIBRARIES = ["core", "snapshot"]
CASE = re.compile(r"^\s*// must fail (\d+): (.+)$", re.M)


def compile_unit(arguments, unit, case):
    folders = {folder for given in arguments.include for folder in given.split(";") if folder}
    flags = [part for folder in sorted(folders) for part in ("-isystem", folder)
             if folder != "/usr/include"]
    ours = [f"-I{arguments.root / library / 'include'}" for library in LIBRARIES]
    command = [arguments.compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
               "-Wno-missing-field-initializers", *ours, *flags, f"-DDAYBOOK_MUST_FAIL={case}",
               str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/local/bin"})


def check_unit(arguments, unit):
    """How many cases of the file are refused, and how many errors there are."""
    refused = errors = 0
    control = compile_unit(arguments, unit, 0)
    if control.returncode:
        print(f"error  {unit.name}: must compile without a case:\n{control.stderr}")
        return 0, 1
    for number, pattern in CASE.findall(unit.read_text(encoding="utf-8")):
        result = compile_unit(arguments, unit, number)
        if result.returncode == 0:
            print(f"error  {unit.name}: case {number} compiles")
            errors += 1
        elif not re.search(pattern, result.stderr):
            print(f"error  {unit.name}: case {number}, for another reason:\n{result.stderr}")
            errors += 1
        else:
            refused += 1
    return refused, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--include", action="append", default=[], help="include folders, `;` apart")
    arguments = parser.parse_args()

    refused = errors = 0
    for unit in sorted((arguments.root / "tests" / "checks" / "compile_fail").glob("*.cc")):
        unit_refused, unit_errors = check_unit(arguments, unit)
        refused += unit_refused
        errors += unit_errors
    print(f"compile-fail: {refused} refused as they must, {errors} errors")
    return 1 if errors or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
