#!/usr/bin/env python3
"""Fails where a public header does not stand alone, or shows a third-party type.

Each header, of the core and of the libraries that stand on it, is compiled by itself, and included
twice, with nothing but what it includes. The only names of another library that may stand in it are
Status and StatusOr of Abseil, and what makes them.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

from sources import Findings, expect_bites
from style import code_only

FOREIGN = re.compile(
    r"\b(MDB_\w+|mdb_\w+|(?:capnp|kj|simdjson|nlohmann|rocksdb)::\w+|XXH\w+|EVP_\w+|SHA256_\w+|"
    r"ZSTD_\w+|sqlite3\w*)\b")
ABSEIL = re.compile(r"\babsl::(\w+)")
ABSEIL_ALLOWED = re.compile(r"(Status|StatusOr|StatusCode|OkStatus|[A-Z]\w*Error)$")
SYSTEM_TYPES = re.compile(r"\b(pthread_\w+|iovec|off_t|ssize_t|pid_t|u?int\d+)\b(?!_t)")


SKIPPED = {"build", ".git", "tests"}


def folders(root):
    """The folders that users include from."""
    found = sorted(root.glob("*/include")) + sorted(root.glob("*/*/include"))
    return [path for path in found if path.relative_to(root).parts[0] not in SKIPPED]


def headers(root):
    return sorted(path for folder in folders(root) for path in folder.rglob("*.h"))


def check_names(root):
    findings = Findings()
    paths = headers(root)
    for path in paths:
        code = code_only(path.read_text(encoding="utf-8"))
        shown = path.relative_to(root)
        for number, line in enumerate(code.split("\n"), 1):
            if line.lstrip().startswith("#include"):
                continue
            for match in list(FOREIGN.finditer(line)) + list(SYSTEM_TYPES.finditer(line)):
                findings.error(shown, number, f"{match.group(0)} in a public header")
            for match in ABSEIL.finditer(line):
                if not ABSEIL_ALLOWED.match(match.group(1)):
                    findings.error(shown, number, f"{match.group(0)} in a public header")
    if not paths:
        findings.error(root, 1, "no public headers found")
    return findings


def check_alone(root, compiler, flags):
    findings = Findings()
    seen = [f"-I{folder}" for folder in folders(root)]

    def compile_alone(path):
        name = path.relative_to(next(p for p in path.parents if p.name == "include"))
        command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion",
                   "-Wshadow", "-Werror", *seen, *flags, "-x", "c++", "-"]
        return name, subprocess.run(command, input=f'#include "{name}"\n' * 2,
                                    capture_output=True, text=True, check=False)

    paths = headers(root)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, (name, result) in zip(paths, pool.map(compile_alone, paths)):
            if result.returncode:
                shown = path.relative_to(root)
                findings.error(shown, 1, f"does not compile alone:\n{result.stderr}")
            else:
                print(f"alone  {name}")
    return findings


def planted_names():
    def public(text):
        return {"core/include/daybook/a.h": text}

    yield "good", public('#include "absl/status/status.h"\nabsl::Status F();  // MDB_env\n'), None
    yield "LMDB", public("MDB_env* env;\n"), "MDB_env"
    yield "Cap'n Proto", public("capnp::MessageReader& m();\n"), "capnp::MessageReader"
    yield "LMDB above the core", {"snapshot/include/daybook/a.h": "MDB_env* e;\n"}, "MDB_env"
    yield "LMDB in a binding", {"bindings/x/include/daybook/a.h": "MDB_env* e;\n"}, "MDB_env"
    yield "xxHash", public("XXH3_state_t* s;\n"), "XXH3_state_t"
    yield "more of Abseil", public("absl::string_view a();\n"), "absl::string_view"
    yield "no headers", {"core/README.md": "x\n"}, "no public headers"


def planted_alone():
    good = "#ifndef A_H_\n#define A_H_\n#include <string>\nstd::string F();\n#endif\n"
    yield "good", {"core/include/daybook/a.h": good}, None
    yield ("a missing include",
           {"core/include/daybook/a.h": good.replace("#include <string>\n", "")}, "alone")
    yield "no guard", {"core/include/daybook/a.h": "struct A {};\n"}, "alone"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("check", choices=["names", "alone"])
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--include", action="append", default=[], help="include folders, `;` apart")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()

    libraries = {folder for given in arguments.include for folder in given.split(";") if folder}
    flags = [part for folder in sorted(libraries) for part in ("-isystem", folder)
             if folder != "/usr/include"]

    def check(root):
        if arguments.check == "names":
            return check_names(root)
        return check_alone(root, arguments.compiler, flags)

    if arguments.self_test:
        planted = planted_names if arguments.check == "names" else planted_alone
        with tempfile.TemporaryDirectory() as folder:
            return expect_bites(check, list(planted()), folder)
    return check(arguments.root).report(f"public headers, {arguments.check}")


if __name__ == "__main__":
    sys.exit(main())
