#!/usr/bin/env python3
"""Installs the build and uses it from outside: by find_package and by pkg-config.

The prefix is moved after the installation: what is installed must not remember where it was put.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

EXPECTED = 'account-42 Deposited {"cents":500}\n'


def run(command, **options):
    command = [str(part) for part in command]
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, check=True, text=True, **options)


def expect_output(program, store, environment=None):
    output = run([program, store], stdout=subprocess.PIPE, env=environment).stdout
    if output != EXPECTED:
        sys.exit(f"{program}: printed {output!r}, expected {EXPECTED!r}")


def use_by_find_package(arguments, prefix, scratch):
    build = scratch / "by_find_package"
    run([arguments.cmake, "-G", arguments.generator, "-S", arguments.consumer, "-B", build,
         f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={arguments.compiler}"],
        stdout=subprocess.DEVNULL)
    run([arguments.cmake, "--build", build])
    expect_output(build / "consumer", scratch / "store_1")


def use_by_pkg_config(arguments, prefix, scratch):
    folders = sorted({path.parent for path in prefix.rglob("daybook.pc")})
    if len(folders) != 1:
        sys.exit(f"daybook.pc is in {folders}")
    environment = os.environ | {"PKG_CONFIG_PATH": str(folders[0])}
    flags = run(["pkg-config", "--cflags", "--libs", "daybook"], stdout=subprocess.PIPE,
                env=environment).stdout.split()
    program = scratch / "by_pkg_config"
    run([arguments.compiler, "-std=c++20", arguments.consumer / "main.cc", "-o", program, *flags])
    libraries = os.environ | {"LD_LIBRARY_PATH": str(folders[0].parent)}
    expect_output(program, scratch / "store_2", libraries)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--consumer", type=pathlib.Path, required=True)
    parser.add_argument("--scratch", type=pathlib.Path, required=True)
    parser.add_argument("--cmake", default="cmake")
    parser.add_argument("--generator", default="Ninja")
    parser.add_argument("--compiler", default="c++")
    arguments = parser.parse_args()

    scratch = arguments.scratch
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    first = scratch / "installed"
    run([arguments.cmake, "--install", arguments.build, "--prefix", first],
        stdout=subprocess.DEVNULL)
    prefix = scratch / "moved"
    first.rename(prefix)
    use_by_find_package(arguments, prefix, scratch)
    use_by_pkg_config(arguments, prefix, scratch)
    print("installed, moved, and used by find_package and by pkg-config")


if __name__ == "__main__":
    main()
