"""What the checks share: the files of the tree, their includes, and how a finding is told."""

import os
import pathlib
import re
import subprocess
import sys

CODE_SUFFIXES = {".h", ".cc"}
SKIPPED_FOLDERS = {".git", "build", ".cache", "__pycache__", "node_modules", ".venv"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Findings:
    """Collects findings and prints them as `file:line: what`."""

    def __init__(self):
        self.errors = []
        self.signs = []

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: {text}")

    def sign(self, path, line, text):
        self.signs.append(f"{path}:{line}: {text}")

    def report(self, name):
        for text in self.signs:
            print(f"sign   {text}")
        for text in self.errors:
            print(f"error  {text}")
        print(f"{name}: {len(self.errors)} errors, {len(self.signs)} signs")
        return 1 if self.errors else 0


def tracked_files(root):
    """The files of the tree, relative to it: what git tracks or would, else what is there."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "-c", f"safe.directory={root}", "ls-files", "-z", "--cached",
             "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode().split("\0")
        top = subprocess.run(
            ["git", "-C", str(root), "-c", f"safe.directory={root}", "rev-parse",
             "--show-toplevel"], check=True, capture_output=True, text=True).stdout.strip()
        if pathlib.Path(top).resolve() == pathlib.Path(root).resolve():
            return sorted(pathlib.PurePosixPath(name) for name in set(listed)
                          if name and (root / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        pass
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = pathlib.Path(folder, name).relative_to(root)
            found.append(pathlib.PurePosixPath(path.as_posix()))
    return sorted(found)


def code_files(root):
    return [path for path in tracked_files(root) if path.suffix in CODE_SUFFIXES]


def read_text(root, path):
    return (root / path).read_text(encoding="utf-8")


def includes(text):
    """(line, header, whether in angle brackets) of every include."""
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(2), match.group(1) == "<"


def plant(root, files):
    """Writes {path: text} under a folder, for self-tests."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def expect_bites(check, planted, folder):
    """Runs `check(root)` on each planted tree: every bad one must be found, the good one must pass.

    `planted` holds (name, {path: text}, expected text of the finding, or None for a good tree).
    """
    failed = 0
    for number, (name, files, expected) in enumerate(planted):
        root = pathlib.Path(folder, str(number))
        root.mkdir()
        plant(root, files)
        errors = check(root).errors
        bites = any(expected in error for error in errors) if expected else not errors
        if not bites:
            failed += 1
            print(f"self-test: {name}: expected {expected!r}, found {errors}", file=sys.stderr)
    print(f"self-test: {len(planted)} planted trees, {failed} wrong")
    return 1 if failed else 0
