#!/usr/bin/env python3
"""Fails where code compiles that the types are there to refuse.

Each file of compile_fail/ compiles as it is, and does not with DAYBOOK_MUST_FAIL=<n> for any n of
its `// must fail <n>: <pattern>` lines; the compiler's message must match the pattern, so that it
fails for the right reason. What the files include is compiled once, for all of them.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

LIBRARIES = ["core", "snapshot"]
CASE = re.compile(r"^\s*// must fail (\d+): (.+)$", re.M)


def includes_of(units):
    """The lines that include something, of all units."""
    lines = {line for unit in units for line in unit.read_text(encoding="utf-8").splitlines()
             if line.startswith("#include")}
    return "\n".join(sorted(lines)) + "\n"


def compile_unit(arguments, unit, *options):
    folders = {folder for given in arguments.include for folder in given.split(";") if folder}
    flags = [part for folder in sorted(folders) for part in ("-isystem", folder)
             if folder != "/usr/include"]
    ours = [f"-I{arguments.root / library / 'include'}" for library in LIBRARIES]
    command = [arguments.compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror",
               "-Wno-missing-field-initializers", *ours, *flags, *options, str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/local/bin"})


def check_unit(arguments, header, unit):
    """How many cases of the file are refused, and how many errors there are."""
    def try_case(number):
        return compile_unit(arguments, unit, "-fsyntax-only", "-include", header,
                            f"-DDAYBOOK_MUST_FAIL={number}")

    refused = errors = 0
    control = try_case(0)
    if control.returncode:
        print(f"error  {unit.name}: must compile without a case:\n{control.stderr}")
        return 0, 1
    for number, pattern in CASE.findall(unit.read_text(encoding="utf-8")):
        result = try_case(number)
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
    units = sorted((arguments.root / "tests" / "checks" / "compile_fail").glob("*.cc"))
    with tempfile.TemporaryDirectory() as folder:
        header = pathlib.Path(folder, "included.h")
        header.write_text(includes_of(units), encoding="utf-8")
        made = compile_unit(arguments, header, "-x", "c++-header", "-o", f"{header}.gch")
        if made.returncode:
            print(f"error  what the units include:\n{made.stderr}")
            errors += 1
        for unit in units:
            unit_refused, unit_errors = check_unit(arguments, header, unit)
            refused += unit_refused
            errors += unit_errors
    print(f"compile-fail: {refused} refused as they must, {errors} errors")
    return 1 if errors or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
