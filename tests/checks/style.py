#!/usr/bin/env python3
"""Fails on what the conventions of the tree forbid and a compiler does not see.

Lengths of files and functions are signs and not laws: beyond the sign they are told, beyond half as
much again they fail.
"""

import argparse
import os
import pathlib
import re
import sys
import tempfile

from sources import CODE_SUFFIXES, Findings, expect_bites, read_text, tracked_files

COLUMNS = 100
FILE_LINES = 500
TEST_FILE_LINES = 800
FUNCTION_LINES = 70
FAIL_FACTOR = 1.5

WRAPPED_SUFFIXES = CODE_SUFFIXES | {".py", ".cmake", ".capnp", ".sh"}
TEXT_SUFFIXES = WRAPPED_SUFFIXES | {".md", ".txt", ".json", ".in", ".yml", ".yaml", ".1"}
SCRIPT_FOLDERS = {"scripts", ".ci"}

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

LIBRARY_FOLDERS = {"core", "snapshot", "projections", "bindings"}

# (pattern in code without comments, where it is allowed, why). For the library without its tests.
CORE_RULES = [
    (re.compile(r"\bstd::(cout|cerr|clog)\b|\b(printf|puts|putchar|perror)\s*\("), r"^$",
     "core/ writes nothing: the host passes a callback"),
    (re.compile(r"\bf(printf|puts|write)\s*\("), r"^core/base/check\.cc$",
     "core/ writes nothing: the host passes a callback"),
    (re.compile(r"\bthrow\b"), r"^$", "errors are absl::Status, never exceptions of ours"),
    (re.compile(r"(?<!static_)\bassert\s*\("), r"^$", "use DAYBOOK_CHECK, or return kDataLoss"),
    (re.compile(r"\b(abort|exit|_exit|quick_exit|terminate)\s*\("), r"^core/base/check\.cc$",
     "only a failed DAYBOOK_CHECK ends the process"),
    (re.compile(r"\b(signal|sigaction)\s*\("), r"^$", "no signal handler in a library"),
    (re.compile(r"\bstd::(mutex|shared_mutex|condition_variable|recursive_mutex)\b"),
     r"^core/base/mutex\.h$", "locks are base/mutex.h, with annotations"),
    (re.compile(r"\bstd::(thread|jthread|async)\b(?!::id)"), r"^core/base/thread\.(h|cc)$",
     "threads are base/thread.h, with a name and an owner"),
    (re.compile(r"\bdetach\s*\(\s*\)"), r"^$", "a thread has an owner that joins it"),
    (re.compile(r"\bstd::filesystem::(?!path\b)"), r"^core/io/",
     "the operating system belongs to core/io"),
    (re.compile(r"\b(rand|srand|gmtime|localtime|strerror)\s*\("), r"^$", "not thread-safe"),
]
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
RAW_STRING = re.compile(r'R"(\w*)\(.*?\)\1"', re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_only(text):
    """The text without comments and strings, lines kept."""
    text = RAW_STRING.sub(blank, text)
    text = STRING.sub(blank, text)
    return COMMENT.sub(blank, text)


def is_test(path):
    named = path.stem.endswith(("_test", "_testing")) or path.stem.startswith("test_")
    return named or path.parts[0] == "tests"


def check_text(path, text, findings):
    if not text:
        return
    if "\r" in text:
        findings.error(path, 1, "carriage return")
    if not text.endswith("\n") or text.endswith("\n\n"):
        findings.error(path, text.count("\n") + 1, "ends with exactly one newline")
    cmake = path.suffix == ".cmake" or path.name == "CMakeLists.txt"
    wrapped = path.suffix in WRAPPED_SUFFIXES or path.parts[0] in SCRIPT_FOLDERS or cmake
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line:
            findings.error(path, number, "tab")
        if line != line.rstrip():
            findings.error(path, number, "space at the end of the line")
        if wrapped and len(line) > COLUMNS and "://" not in line:
            findings.error(path, number, f"{len(line)} columns; {COLUMNS} is the limit")
        match = UNFINISHED.search(line)
        if match:
            findings.error(path, number, f"{match.group(1)}: finish it or open an issue")
        if cmake and re.search(r"\bGLOB(_RECURSE)?\b", line):
            findings.error(path, number, "file lists are explicit")


def check_script(root, path, text, findings):
    if not text.startswith("#!"):
        return
    if not os.access(root / path, os.X_OK):
        findings.error(path, 1, "a script must be executable")
    if "bash" in text.split("\n")[0] and "set -euo pipefail" not in text:
        findings.error(path, 1, "a bash script has set -euo pipefail")
    for number, line in enumerate(text.split("\n"), 1):
        if path.parts[0] in SCRIPT_FOLDERS and "://" in line:
            findings.error(path, number, "no address: packages come by name")


def check_length(path, lines, limit, line, what, findings):
    if lines > limit * FAIL_FACTOR:
        findings.error(path, line, f"{what} has {lines} lines; split it (the sign is {limit})")
    elif lines > limit:
        findings.sign(path, line, f"{what} has {lines} lines; the sign is {limit}")


def check_functions(path, code, findings):
    """Functions as clang-format leaves them: a line that ends in `{`, closed at its column."""
    opened = {}
    not_function = re.compile(
        r"^\s*(\}|namespace|class|struct|enum|union|extern|if|for|while|switch|do|else|"
        r"case|default|TEST_CASE|SCENARIO|template\s*<.*>\s*(class|struct))\b|=\s*\{$|^\s*\}")
    for number, line in enumerate(code.split("\n"), 1):
        column = len(line) - len(line.lstrip())
        if column <= 2 and line.rstrip().endswith("{") and not not_function.search(line):
            opened.setdefault(column, number)
        if column <= 2 and re.match(r"^\s*\}", line) and column in opened:
            check_length(path, number - opened.pop(column) + 1, FUNCTION_LINES, number,
                         "the function that ends here", findings)


def check_code(path, text, findings):
    lines = text.count("\n")
    check_length(path, lines, TEST_FILE_LINES if is_test(path) else FILE_LINES, lines, "the file",
                 findings)
    code = code_only(text)
    if not is_test(path):
        check_functions(path, code, findings)
    for number, line in enumerate(code.split("\n"), 1):
        if path.suffix == ".h" and re.match(r"^\s*using\s+namespace\b", line):
            findings.error(path, number, "no using namespace in a header")
        if path.parts[0] in LIBRARY_FOLDERS and not is_test(path):
            for pattern, allowed, why in CORE_RULES:
                match = pattern.search(line)
                if match and not re.search(allowed, str(path)):
                    findings.error(path, number, f"{match.group(0)}: {why}")
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\bNOLINT(?!\w*\()", line):
            findings.error(path, number, "NOLINT names the check: NOLINT(check)")


def check_listed(root, sources, findings):
    """Every source stands in the explicit file list of a CMakeLists.txt at or above it."""
    lists = {}
    for path in sources:
        if path.parts[0] == "tests" and "compile_fail" in path.parts:
            continue
        for folder in path.parents:
            cmake = root / folder / "CMakeLists.txt"
            if folder not in lists:
                lists[folder] = cmake.read_text(encoding="utf-8") if cmake.exists() else ""
            name = re.escape(str(path.relative_to(folder)))
            if re.search(rf"(?<![\w/.-]){name}(?![\w.-])", lists[folder]):
                break
        else:
            findings.error(path, 1, "stands in no CMakeLists.txt")


def check_links(root, path, text, findings):
    """A relative link of a Markdown page leads somewhere."""
    text = re.sub(r"```.*?```", blank, text, flags=re.S)
    for number, line in enumerate(text.split("\n"), 1):
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", line):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (root / path.parent / target).exists():
                findings.error(path, number, f"the link leads nowhere: {target}")


def check(root):
    findings = Findings()
    files = tracked_files(root)
    for path in files:
        script = path.parts[0] in SCRIPT_FOLDERS
        named = path.name in {".clang-format", ".clang-tidy"}
        if not (path.suffix in TEXT_SUFFIXES or script or named):
            continue
        try:
            text = read_text(root, path)
        except UnicodeDecodeError:
            findings.error(path, 1, "not UTF-8")
            continue
        check_text(path, text, findings)
        check_script(root, path, text, findings)
        if path.suffix in CODE_SUFFIXES:
            check_code(path, text, findings)
        if path.suffix == ".md":
            check_links(root, path, text, findings)
    check_listed(root, [path for path in files if path.suffix == ".cc"], findings)
    return findings


def planted():
    """(name, files, the finding that must show) for the self-test."""
    lists = {"core/CMakeLists.txt": "x(log/a.cc)\n"}

    def core(text):
        return {"core/log/a.cc": text} | lists

    long_function = "int F() {\n" + "  ++x;\n" * 110 + "}\n"
    yield "a good tree", core('// printf( and throw in words\nint a = F("throw");\n') | {
        "core/log/a_test.cc": "std::cout << 1;\n", "core/log/CMakeLists.txt": "x(a_test.cc)\n",
        "README.md": "[a](core/log/a.cc) [b](https://example.org/x)\n"}, None
    yield "a long line", core("// " + "a" * 98 + "\n"), "101 columns"
    yield "a tab", core("\tint a;\n"), "tab"
    yield "a space at the end", core("int a; \n"), "space at the end"
    yield "no newline at the end", core("int a;"), "newline"
    yield "unfinished", core("// TO" "DO: more\n"), "finish it"
    yield "stdout", core('std::cout << "a";\n'), "writes nothing"
    yield "stderr", core('fprintf(stderr, "a");\n'), "writes nothing"
    yield "an exception", core("throw 1;\n"), "never exceptions"
    yield "an assertion", core("assert(a);\n"), "DAYBOOK_CHECK"
    yield "an abort", core("std::abort();\n"), "ends the process"
    yield "a bare mutex", core("std::mutex m;\n"), "base/mutex.h"
    yield "a bare thread", core("std::thread t;\n"), "base/thread.h"
    yield "the file system", core("std::filesystem::exists(p);\n"), "core/io"
    yield "using namespace", {"core/log/a.h": "using namespace std;\n"}, "using namespace"
    yield "a bare NOLINT", core("int a;  // NOLINT\n"), "names the check"
    yield "a long file", core("int a;\n" * 751), "the file has 751"
    yield "a long function", core(long_function), "the function that ends here has 112"
    long_method = long_function.replace("int", "  int").replace("}", "  }")
    yield "a long method", core("class A {\n" + long_method + "};\n"), "ends here has 112"
    yield "not in a list", core("int a;\n") | {"core/log/b.cc": "int b;\n"}, "stands in no"
    yield "a glob", {"core/CMakeLists.txt": "file(GLOB x *.cc)\n"}, "explicit"
    yield "an address in a script", {"scripts/a": "#!/bin/sh\ncurl https://a.b\n"}, "no address"
    yield "not executable", {"scripts/a": "#!/bin/sh\n"}, "executable"
    yield "a broken link", {"README.md": "[a](nowhere.md)\n"}, "leads nowhere"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=pathlib.Path, nargs="?",
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        with tempfile.TemporaryDirectory() as folder:
            return expect_bites(check, list(planted()), folder)
    return check(arguments.root).report("style")


if __name__ == "__main__":
    sys.exit(main())
