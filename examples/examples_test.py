#!/usr/bin/env python3
"""The examples do what they say: they run, and the reader in Python agrees with pages and command.

usage: examples_test.py CASE [--quickstart P] [--ledger P] [--daybook P]
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAGES = HERE.parent / "docs" / "format"
READER = HERE / "format_reader" / "read_store.py"
ANNOTATOR = HERE / "format_reader" / "annotate_store.py"
LINE = re.compile(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)", re.M)
sys.path.insert(0, str(HERE / "format_reader"))
sys.dont_write_bytecode = True


def run(*command, code=0):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert result.returncode == code, f"{command}: {result.returncode}\n{result.stderr}"
    return result.stdout


def read(store, *flags, code=0):
    return run(sys.executable, "-B", READER, store, *flags, code=code)


def block(page, language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.M | re.S)
    assert found, f"{page} has no block of {language}"
    return found


def hashes(_arguments, _folder):
    """xxh3.py gives the test vectors of xxh3.md."""
    from xxh3 import xxh3_64
    rows = re.findall(r"^\| (\d+) \| `(\w{16})` \| `(\w{16})` \|$",
                      (PAGES / "xxh3.md").read_text(), re.M)
    assert len(rows) > 20, rows
    data = bytes((7 * i + 1) % 256 for i in range(max(int(row[0]) for row in rows)))
    for size, plain, seeded in rows:
        assert xxh3_64(data[:int(size)]) == int(plain, 16), size
        assert xxh3_64(data[:int(size)], 0x0123456789ABCDEF) == int(seeded, 16), size


def write_worked_example(folder):
    """The store whose bytes log.md lists."""
    for dump in block("log.md", "hexdump"):
        name, size = re.match(r"# (\S+): (\d+) bytes\n", dump).groups()
        data = bytearray(int(size))
        for at, text in LINE.findall(dump):
            row = bytes.fromhex(text)
            data[int(at, 16):int(at, 16) + len(row)] = row
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def page(_arguments, folder):
    """The worked example of log.md is a store of the events it names, and no bit of it may flip."""
    from read_store import Damaged, Log
    store = folder / "store"
    write_worked_example(store)
    assert read(store) == block("log.md", "json")[0]
    printed = run(sys.executable, "-B", ANNOTATOR, store)
    assert printed.split() == " ".join(f"```hexdump {dump}```"
                                       for dump in block("log.md", "hexdump")).split()
    log = store / "log" / "00000000000000000001.log"
    good = log.read_bytes()
    for at in [*range(0, 4096, 3), *range(4096, 5376), 5400, len(good) - 1]:
        log.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1:])
        try:
            list(Log(store, True).events())
        except Damaged:
            continue
        raise AssertionError(f"a flipped bit at {at} was not seen")


def quickstart(arguments, folder):
    """The quickstart runs, and the reader in Python sees its events."""
    said = run(arguments.quickstart, folder / "store")
    assert "conflict: account-42 is at version 2, not at 1" in said, said
    lines = read(folder / "store").splitlines()
    assert len(lines) == 4 and '"stream":"account-7","version":1' in lines[3], lines


def ledger(arguments, folder):
    """A small ledger balances, and the reader in Python prints it as the command does."""
    store = folder / "store"
    said = run(arguments.ledger, store, "--accounts", 200, "--events", 5000, "--batch", 50)
    assert "The books balance at every moment." in said, said
    printed = read(store)
    assert printed.count("\n") == 5000, printed.count("\n")
    assert read(store, "--no-verify") == printed
    if arguments.daybook:
        assert run(arguments.daybook, "read", store) == printed


CASES = {case.__name__: case for case in (hashes, page, quickstart, ledger)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("case", choices=CASES)
    for program in ("quickstart", "ledger", "daybook"):
        parser.add_argument(f"--{program}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        CASES[arguments.case](arguments, pathlib.Path(folder))
    print("ok")


if __name__ == "__main__":
    main()
